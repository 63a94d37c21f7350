import { errorReply, reply } from '../http-text.ts';
import { expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atPost } from './playing.ts';

/** The target itself is of no use, to anybody. */
export const uselessFaults: readonly Fault[] = [
  {
    number: 25,
    name: '401 with a static key',
    play: atPost(() => errorReply(401, { code: '401' })),
    reported: expected.authFailed,
  },
  {
    number: 26,
    name: '404 DeploymentNotFound',
    play: atPost(() => errorReply(404, { code: 'DeploymentNotFound' })),
    reported: expected.misconfigured,
  },
  {
    number: 26,
    name: '404 Resource not found',
    play: atPost(() => errorReply(404, { code: '404', message: 'Resource not found' })),
    reported: expected.misconfigured,
  },
  {
    number: 26,
    name: '400 OperationNotSupported',
    play: atPost(() => errorReply(400, { code: 'OperationNotSupported' })),
    reported: expected.misconfigured,
  },
  {
    number: 26,
    name: '402',
    play: atPost(() => errorReply(402, { code: 'PaymentRequired' })),
    reported: expected.misconfigured,
  },
  {
    number: 26,
    name: '410, the model is retired',
    play: atPost(() => errorReply(410, { code: 'ModelDeprecated' })),
    reported: expected.misconfigured,
  },
  {
    number: 27,
    name: '423, which nobody has described',
    play: atPost(() => errorReply(423, { code: 'Locked' })),
    reported: expected.declined,
  },
  {
    number: 27,
    name: '403, the resource is blocked',
    play: atPost(() =>
      errorReply(403, {
        code: 'Forbidden',
        message: 'Your resource has been temporarily blocked: content policy. upstream-text-canary',
      }),
    ),
    reported: expected.blocked,
  },
  {
    number: 27,
    name: 'other 403',
    play: atPost(() => errorReply(403, { code: 'AuthorizationFailed' })),
    reported: expected.authFailed,
  },
  ...[301, 302, 303, 307, 308].map(
    (status): Fault => ({
      number: 27,
      name: `${status}`,
      play: (_mode, host) => ({ post: reply(status, { location: `https://${host}/elsewhere` }, '') }),
      reported: expected.misconfigured,
    }),
  ),
];
