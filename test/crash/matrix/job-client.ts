import { setTimeout as wait } from 'node:timers/promises';
import { consumerKey } from './gateway-process.ts';
import { type Asking, ask, type Reply } from './keyed-client.ts';
import type { Call, JobMode } from './modes.ts';

const pollMs = 50;

/** A job that can be found: where it is polled, and what its end means. */
type Protocol = {
  readonly headers: (key: string) => Readonly<Record<string, string>>;
  /** Whether the job was known before. */
  readonly isReplay: (accepted: Reply) => boolean;
  readonly poll: (accepted: Reply) => string;
  /** The response as somebody who has waited would have got it; `undefined`: the job has not ended. */
  readonly end: (url: string, state: Reply) => Promise<Reply | undefined>;
};

/** Starts a job and follows it to its images, as long as the gateway lives. */
export function askForJob(url: string, mode: JobMode, call: Call, key: string): Asking {
  const { headers, isReplay, poll, end } = protocols[mode];
  const starting = ask(url, call, headers(key));
  const follow = async (): Promise<Reply> => {
    const accepted = await starting.reply;
    if (!accepted.isWhole || accepted.status >= 300) return accepted;
    for (;;) {
      const state = await fetchReply(url, poll(accepted));
      const reply = state.isWhole ? await end(url, state) : state;
      if (reply !== undefined) {
        return {
          ...reply,
          headers: { ...reply.headers, ...(isReplay(accepted) && { 'idempotent-replayed': 'true' }) },
        };
      }
      await wait(pollMs);
    }
  };
  return { ...starting, reply: follow() };
}

const isMarked = ({ headers }: Reply) => headers['idempotent-replayed'] === 'true';

const asJob: Protocol = {
  headers: (key) => ({ 'idempotency-key': key, prefer: 'respond-async' }),
  isReplay: isMarked,
  poll: (accepted) => `/v1/images/jobs/${bodyOf(accepted).id}`,
  async end(url, state) {
    const { id, status } = bodyOf(state);
    if (status === 'queued' || status === 'in_progress') return undefined;
    return await fetchReply(url, `/v1/images/jobs/${id}/content`);
  },
};

const protocols: Readonly<Record<JobMode, Protocol>> = {
  job: asJob,
  'edit job': asJob,
  submit: {
    headers: (key) => ({ 'operation-id': key }),
    // An operation has the id of its first request.
    isReplay: () => true,
    poll: (accepted) => `/openai/operations/images/${bodyOf(accepted).id}`,
    async end(_url, state) {
      const { status, error } = bodyOf(state);
      if (status === 'notRunning' || status === 'running') return undefined;
      return error === undefined ? state : failed(state);
    },
  },
  response: {
    headers: (key) => ({ 'idempotency-key': key }),
    isReplay: isMarked,
    poll: (accepted) => `/v1/responses/${bodyOf(accepted).id}`,
    async end(_url, state) {
      const { status } = bodyOf(state);
      if (status === 'queued' || status === 'in_progress') return undefined;
      return status === 'completed' ? state : failed(state);
    },
  },
};

type JobBody = { readonly id: string; readonly status: string; readonly error?: unknown };

function bodyOf({ body }: Reply): JobBody {
  return JSON.parse(body.toString()) as JobBody;
}

/** The only failure that may be seen here is an unknown outcome; the judgement looks at its code. */
function failed(state: Reply): Reply {
  return { ...state, status: 502 };
}

/** Of a gateway that has died, the status is 0. */
async function fetchReply(url: string, path: string): Promise<Reply> {
  try {
    const response = await fetch(`${url}${path}`, { headers: { 'api-key': consumerKey } });
    const body = Buffer.from(await response.arrayBuffer());
    return { status: response.status, headers: Object.fromEntries(response.headers), body, isWhole: true };
  } catch {
    return { status: 0, headers: {}, body: Buffer.alloc(0), isWhole: false };
  }
}
