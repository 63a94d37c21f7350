import type { AccessToken } from '../../../src/upstream/token-source.ts';
import { pending } from '../agent-wire.ts';
import { errorReply, jsonReply } from '../http-text.ts';
import { later } from '../modes.ts';
import { shows, startTokenDesk } from '../token-desk.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atPost, lasting } from './playing.ts';

const refusal = (headers = {}) => errorReply(401, { code: '401' }, headers);
const soon = { 'retry-after-ms': '1' };

/** In two calls, each is refused, and each is made again with the one new token. */
const bothAgain: Expected = {
  ...expected.done,
  received: 4,
  accepted: 2,
  ends: { 'not-processed': 2, delivered: 2 },
};

/** A token that is not accepted, where there is one. */
export const tokenFaults: readonly Fault[] = [
  {
    number: 25,
    name: '401 for a token, then good',
    tokens: startTokenDesk,
    play: (_mode, _host, _index, { headers }) => (shows(headers.authorization, 1) ? { post: refusal() } : {}),
    times: 2,
    told: { ...expected.done, received: 2, ends: { 'not-processed': 1, delivered: 1 } },
    exceptions: { F: { told: bothAgain } },
  },
  {
    number: 25,
    name: '401 for every token',
    tokens: startTokenDesk,
    play: atPost(() => refusal()),
    told: { ...expected.authFailed, attempts: 2, received: 2 },
  },
];

/** There is no token to show: nothing is sent. */
const noToken = (name: string, play: () => Promise<AccessToken>): Fault => ({
  name: `no token: ${name}`,
  tokens: () => startTokenDesk(play),
  told: { ...expected.authFailed, received: 0 },
});

const odd = async (token: unknown): Promise<AccessToken> => token as AccessToken;
/** What is wrong with a token has nothing to do with the mode. */
const some = ['A', 'F', 'agent-background'] as const;
const expired = { token: { expose: () => 'token-canary-old' }, expiresAt: 1 };

const withoutTokens: readonly Fault[] = [
  noToken('the identity is refused', () => Promise.reject(new Error('upstream-text-canary'))),
  noToken('nobody answers', () => new Promise(() => {})),
  { ...noToken('it has expired', () => odd(expired)), modes: some },
  { ...noToken('it ends at no time', () => odd({ ...expired, expiresAt: Number.NaN })), modes: some },
  { ...noToken('it is nothing', () => odd(undefined)), modes: some },
];

/** The modes whose job is polled. */
const polled = { modes: ['C', 'agent-background'] } as const;

/** Polls with the first token are refused; the POST before them was not. */
const pollsNeedAnother: Pick<Fault, 'modes' | 'play'> = {
  ...polled,
  play: (_mode, _host, _index, { headers }) => (shows(headers.authorization, 1) ? { poll: refusal() } : {}),
};

const onPolls: readonly Fault[] = [
  { ...pollsNeedAnother, name: '401 on a poll, then good', tokens: startTokenDesk, told: expected.done },
  {
    ...pollsNeedAnother,
    name: '401 on a poll, then no token for a while',
    tokens: () =>
      startTokenDesk((index) => (index === 1 ? Promise.reject(new Error('upstream-text-canary')) : undefined)),
    told: expected.done,
  },
  {
    ...polled,
    name: '401 on the second poll, then good',
    tokens: startTokenDesk,
    play: (mode, _host, index, { headers }) => {
      if (!shows(headers.authorization, 1)) return {};
      return { poll: index === 0 ? stillRunning(mode) : refusal() };
    },
    told: expected.done,
  },
  {
    ...polled,
    name: '401 on polls for every token',
    tokens: startTokenDesk,
    play: () => ({ poll: refusal(later) }),
    timeoutMs: lasting,
    told: expected.unknown,
    exceptions: { 'agent-background': { told: expected.unknownJob } },
  },
  {
    ...pollsNeedAnother,
    play: (_mode, _host, _index, { headers }) => (shows(headers.authorization, 1) ? { poll: refusal(later) } : {}),
    name: '401 on a poll, then no token at all',
    tokens: () =>
      startTokenDesk((index) => (index > 0 ? Promise.reject(new Error('upstream-text-canary')) : undefined)),
    timeoutMs: lasting,
    told: expected.unknown,
    exceptions: { 'agent-background': { told: expected.unknownJob } },
  },
];

const stillRunning = (mode: string) =>
  jsonReply(200, mode === 'C' ? { status: 'running' } : pending('in_progress'), soon);

export const tokenExtras: readonly Fault[] = [...withoutTokens, ...onPolls];
