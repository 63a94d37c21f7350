import { Agent } from 'undici';
import { onTestFinished } from 'vitest';

export type Question = {
  readonly method?: string;
  /** Goes out as it is: nothing in it is resolved or encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
};

export type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
};

/** Calls one server with exactly these paths and headers, over connections that end with the test. */
export function exactClient(url: string): (question: Question) => Promise<Reply> {
  const agent = new Agent({ connections: 20 });
  onTestFinished(() => agent.destroy());
  return async ({ method = 'GET', path, headers = {}, body }) => {
    const dispatch = { origin: url, path, method: method as 'GET', headers: { ...headers }, body: body ?? null };
    const response = await agent.request(dispatch);
    return { status: response.statusCode, headers: response.headers, text: await response.body.text() };
  };
}
