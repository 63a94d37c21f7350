import { errorReply } from '../http-text.ts';
import { reset, type Step, wait } from '../script.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';

/** One of two calls fails, the other one does not. */
const oneOfTwo = (name: string, steps: () => Step[], reported: Expected, rest: Partial<Fault> = {}): Fault => ({
  modes: ['F'],
  name: `one of two: ${name}`,
  play: () => ({ post: steps() }),
  times: 1,
  reported,
  ...rest,
});

/** By then the other call has been sent, too. */
const bothSent = wait(150);

const repeated = { ...expected.done, received: 3, accepted: 2 } as const;
const stopped = { received: 2, accepted: 1 } as const;
const delivers = { modelKeys: { partialSuccess: 'deliver' } };
const oneLeft = { ...expected.done, images: 1, received: 2 } as const;

export const legExtras: readonly Fault[] = [
  oneOfTwo('not processed', () => errorReply(429, { code: '429' }, { 'retry-after-ms': '20' }), {
    ...repeated,
    ends: { 'not-processed': 1, delivered: 2 },
  }),
  oneOfTwo('failed', () => errorReply(500, { code: 'server_error' }), {
    ...repeated,
    ends: { failed: 1, delivered: 2 },
  }),
  oneOfTwo('unknown', () => [bothSent, reset], {
    ...expected.unknown,
    ...stopped,
    ends: { unknown: 1, abandoned: 1 },
  }),
  oneOfTwo('refused', () => [bothSent, ...errorReply(400, { code: 'content_policy_violation' })], {
    ...expected.contentRefused,
    ...stopped,
    ends: { refused: 1, abandoned: 1 },
  }),
  oneOfTwo('target useless', () => [bothSent, ...errorReply(404, { code: 'DeploymentNotFound' })], {
    ...expected.misconfigured,
    ...stopped,
    ends: { 'not-processed': 1, abandoned: 1 },
  }),
  oneOfTwo(
    'unknown, and the other one is delivered',
    () => [reset],
    { ...oneLeft, accepted: 1, ends: { unknown: 1, delivered: 1 } },
    delivers,
  ),
  oneOfTwo(
    'refused, and the other one is delivered',
    () => errorReply(400, { code: 'content_policy_violation' }),
    { ...oneLeft, accepted: 1, ends: { refused: 1, delivered: 1 } },
    delivers,
  ),
  {
    name: 'one of two: unknown, while the other one hangs',
    modes: ['F'],
    play: (_mode, _host, index) => ({ post: index === 0 ? [bothSent, reset] : [] }),
    reported: { ...expected.unknown, received: 2, accepted: 2, ends: { unknown: 1, abandoned: 1 } },
  },
];
