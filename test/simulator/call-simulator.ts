import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { Agent, request } from 'undici';
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/start-simulator.ts';
import { type FormPart, formHeaders, writeForm } from './write-form.ts';

/** A whole response, read to its end. */
export type ReceivedResponse = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
};

/** A simulator of one test file, and the calls that its tests make. */
export type Caller = {
  readonly simulator: Simulator;
  call(method: 'GET' | 'POST' | 'DELETE', target: string, body?: unknown, headers?: Headers): Promise<ReceivedResponse>;
  /** Posts to the deployments path with a preview api-version. */
  generate(deployment: string, body: Body, apiVersion?: string): Promise<ReceivedResponse>;
  /** Posts a form, written by hand, to the edits of the deployments path. */
  edit(deployment: string, parts: readonly FormPart[], apiVersion?: string): Promise<ReceivedResponse>;
  /** Posts a body of any type to any path. */
  send(target: string, headers: Headers, body: Buffer): Promise<ReceivedResponse>;
  /** Posts to the legacy flow. */
  submit(body: Body, apiVersion?: string): Promise<ReceivedResponse>;
  /** Polls an operation-location until `isOver` says so. */
  pollUntil(target: string, isOver: (body: OperationBody) => boolean): Promise<OperationBody>;
  close(): Promise<void>;
};

export type OperationBody = {
  status: string;
  id: string;
  created: number;
  expires?: number;
  data?: { url?: string; error?: { code: string } }[];
  result?: { created: number; data: { url?: string; error?: { code: string } }[] };
  error?: { code: string };
};

type Headers = Readonly<Record<string, string>>;
type Body = Readonly<Record<string, unknown>>;

export const json = (response: ReceivedResponse) => JSON.parse(response.bytes.toString());

/** Starts a simulator on a free port with quick operations and streams. Close it when the tests are over. */
export async function openCaller(options: SimulatorOptions = {}): Promise<Caller> {
  const simulator = await startSimulator({ apiKey: 'test-key', operationMs: 6, partialMs: 1, ...options });
  const dispatcher = new Agent({ keepAliveTimeout: 10 });
  const call: Caller['call'] = async (method, target, body, headers = { 'api-key': 'test-key' }) => {
    const url = new URL(target, simulator.origin);
    const sent =
      body === undefined
        ? { headers }
        : { headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
    const response = await request(url, { dispatcher, method, ...sent });
    return {
      status: response.statusCode,
      headers: response.headers,
      bytes: Buffer.from(await response.body.arrayBuffer()),
    };
  };
  const send: Caller['send'] = async (target, headers, body) => {
    const url = new URL(target, simulator.origin);
    const response = await request(url, {
      dispatcher,
      method: 'POST',
      headers: { 'api-key': 'test-key', ...headers },
      body,
    });
    return {
      status: response.statusCode,
      headers: response.headers,
      bytes: Buffer.from(await response.body.arrayBuffer()),
    };
  };
  return {
    simulator,
    call,
    send,
    edit: (deployment, parts, apiVersion = '2025-04-01-preview') =>
      send(`/openai/deployments/${deployment}/images/edits?api-version=${apiVersion}`, formHeaders, writeForm(parts)),
    generate: (deployment, body, apiVersion = '2025-04-01-preview') =>
      call('POST', `/openai/deployments/${deployment}/images/generations?api-version=${apiVersion}`, body),
    submit: (body, apiVersion = '2023-06-01-preview') =>
      call('POST', `/openai/images/generations:submit?api-version=${apiVersion}`, body),
    async pollUntil(target, isOver) {
      for (;;) {
        const body = json(await call('GET', target)) as OperationBody;
        if (isOver(body)) return body;
        await wait(2);
      }
    },
    async close() {
      await dispatcher.destroy();
      await simulator.close();
    },
  };
}

/** Reads a socket until the other side ends it; `end` is `end`, or the code of the error that ended it. */
export async function readToEnd(socket: Socket): Promise<{ text: string; end: string }> {
  const chunks: Buffer[] = [];
  let end = 'end';
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    end = error.code ?? 'error';
  });
  socket.on('end', () => socket.destroy());
  await new Promise((resolve) => socket.on('close', resolve));
  return { text: Buffer.concat(chunks).toString('latin1'), end };
}

/** Posts a body to a deployment over a plain socket, for tests that look at the connection itself. */
export function postOverSocket(origin: string, deployment: string, members: Body = {}): Socket {
  const socket = connect(Number(new URL(origin).port), '127.0.0.1');
  const body = JSON.stringify({ prompt: 'a cat', ...members });
  const head = [
    `POST /openai/deployments/${deployment}/images/generations?api-version=preview HTTP/1.1`,
    'host: 127.0.0.1',
    'api-key: test-key',
    'content-type: application/json',
    `content-length: ${body.length}`,
  ];
  socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  return socket;
}
