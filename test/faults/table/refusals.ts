import { eventText } from '../../helpers/event-text.ts';
import { imageCall, responseOf, words } from '../agent-wire.ts';
import { eventStream } from '../event-stream.ts';
import { errorReply, jsonReply, reply } from '../http-text.ts';
import { agentModes, everyMode, isAgent, isEdit, type Mode, type Places, succeeded } from '../modes.ts';
import { expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atEnd, atPost } from './playing.ts';

const transient = atPost(() =>
  errorReply(400, {
    code: 'unsupported_content_type',
    message: 'The content type must be multipart/form-data. upstream-text-canary',
  }),
);

export const refusals: readonly Fault[] = [
  {
    number: 28,
    name: '400 unsupported_content_type, then good',
    play: transient,
    times: 1,
    modes: ['E'],
    reported: { ...expected.done, attempts: 2, received: 2, ends: { 'not-processed': 1, delivered: 1 } },
  },
  {
    number: 28,
    name: '400 unsupported_content_type, always',
    play: transient,
    modes: ['E'],
    reported: expected.oddTwice,
  },
  {
    number: 29,
    name: 'other 400',
    play: (mode) => valueRefused(isAgent(mode) ? 'input' : 'prompt'),
    reported: { ...expected.valueRefused, param: 'prompt' },
  },
  {
    number: 29,
    name: 'other 400, for what its caller did not send',
    play: (mode) => valueRefused(isAgent(mode) ? 'tools[0].size' : 'size'),
    reported: expected.valueRefused,
    // The options of an agent's tool are the operator's.
    exceptions: Object.fromEntries(agentModes.map((mode) => [mode, { reported: expected.misconfigured }])),
  },
  {
    number: 29,
    name: '400, for an image that cannot be read',
    play: atPost(() => errorReply(400, { code: 'invalid_image_file' })),
    reported: expected.imageRefused,
    exceptions: Object.fromEntries(
      everyMode.filter(isEdit).map((mode) => [mode, { reported: { ...expected.imageRefused, param: 'image' } }]),
    ),
  },
  {
    number: 29,
    name: '409',
    play: atPost(() => errorReply(409, { code: 'conflict' })),
    reported: { ...expected.unknown, accepted: 0 },
  },
  {
    number: 30,
    name: 'content refused as 400',
    play: atPost(() => errorReply(400, { code: 'content_policy_violation' })),
    reported: expected.contentRefused,
  },
  {
    number: 30,
    name: 'content refused in a 200',
    play: (mode) => refusedIn(mode, { error: filtered }, { status: 'failed', error: filtered }),
    reported: expected.contentRefused,
  },
  {
    number: 30,
    name: 'one filtered item',
    play: (mode, host) => {
      const poll = succeeded(host) as { result: { data: unknown[] } };
      poll.result.data.push({ error: filtered });
      return refusedIn(mode, { created: 1, data: [{ error: filtered }] }, poll);
    },
    reported: expected.contentRefused,
  },
];

const filtered = { code: 'contentFilter', message: 'upstream-text-canary' };

const valueRefused = (param: string): Partial<Places> => ({
  post: errorReply(400, { code: 'invalid_value', param, type: 'invalid_request_error' }),
});

type Refusal = { readonly error: unknown } | { readonly created: number; readonly data: readonly unknown[] };

function refusedIn(mode: Mode, body: Refusal, poll: unknown): Partial<Places> {
  if (isAgent(mode)) return atEnd(mode, jsonReply(200, refusedResponse('error' in body)));
  if (mode === 'C') return { poll: jsonReply(200, poll) };
  if (mode === 'D' && 'error' in body) return { post: reply(200, eventStream, eventText('error', body)) };
  return { post: jsonReply(200, body) };
}

const refusedResponse = (isWhole: boolean): unknown =>
  isWhole
    ? responseOf([], { status: 'failed', error: filtered })
    : responseOf([imageCall(null, { status: 'failed', error: filtered }), words]);
