import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { certificate } from '../helpers/loopback-server.ts';
import { isCancel, isPaidCall, type Request, readRequests } from './read-requests.ts';
import { play, type Step } from './script.ts';

/** What happens to a connection before a byte of it is read. */
export type Welcome = 'serve' | 'silence' | 'fin' | 'reset' | 'untrusted certificate';

/** @see FaultServer.accepted for `isBilled` */
export type ScriptedResponse = { readonly steps: readonly Step[]; readonly isBilled: boolean };

export type Script = {
  readonly welcome: Welcome;
  /** @param index of this request among those of its method and path, from 0 */
  respond(request: Request, index: number): ScriptedResponse;
};

export type FaultServer = {
  readonly origin: string;
  /** What it plays for every connection from now on. */
  script: Script;
  /** Connections that were accepted, and those of them that are open. */
  readonly dials: number;
  readonly open: number;
  /** Every request that arrived completely. */
  readonly requests: readonly Request[];
  /** Paid POSTs that arrived completely, and those of them that a real upstream would bill. */
  readonly received: number;
  readonly accepted: number;
  /** GETs, and POSTs that end a job; neither is ever billed. */
  readonly polls: number;
  readonly cancels: number;
};

type Options = {
  readonly script: Script;
  readonly isSecure?: boolean;
  readonly onFinished: (close: () => Promise<void>) => void;
};

const untrusted = {
  key: readFileSync(new URL('../fixtures/tls/untrusted-key.pem', import.meta.url)),
  cert: readFileSync(new URL('../fixtures/tls/untrusted-certificate.pem', import.meta.url)),
};

/** An upstream on raw connections, with TLS unless said otherwise, that fails in every way there is. */
export async function startFaultServer({ script, isSecure = true, onFinished }: Options): Promise<FaultServer> {
  const sockets = new Set<Socket>();
  const requests: Request[] = [];
  let dials = 0;
  let accepted = 0;
  // A half-closed connection is still read, so that it is known what arrived.
  const server = createServer({ allowHalfOpen: true }, (raw) => {
    dials += 1;
    sockets.add(raw.on('error', () => {}).once('close', () => sockets.delete(raw)));
    const { welcome } = state.script;
    if (welcome === 'reset') return void raw.resetAndDestroy();
    if (welcome === 'silence' || (welcome === 'fin' && isSecure)) return leaveAlone(raw, welcome);
    const keys = welcome === 'untrusted certificate' ? untrusted : certificate;
    const socket = isSecure ? new TLSSocket(raw, { isServer: true, ...keys }) : raw;
    socket.on('error', () => raw.destroy()).once('end', () => raw.destroy());
    if (welcome === 'fin') socket.end();
    readRequests(socket, (request) => void respond(request, socket, raw));
  });

  async function respond(request: Request, socket: Socket, raw: Socket): Promise<void> {
    const index = requests.filter(({ method, path }) => method === request.method && path === request.path).length;
    requests.push(request);
    const { steps, isBilled } = state.script.respond(request, index);
    if (isBilled) accepted += 1;
    await play(steps, socket, raw);
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  const state: FaultServer = {
    origin: `${isSecure ? 'https' : 'http'}://127.0.0.1:${port}`,
    script,
    requests,
    get dials() {
      return dials;
    },
    get open() {
      return sockets.size;
    },
    get received() {
      return requests.filter(isPaidCall).length;
    },
    get polls() {
      return requests.filter(({ method }) => method === 'GET').length;
    },
    get cancels() {
      return requests.filter(isCancel).length;
    },
    get accepted() {
      return accepted;
    },
  };
  return state;
}

/** Says nothing, not even TLS; closes when the other side does. */
function leaveAlone(raw: Socket, welcome: Welcome): void {
  raw.resume().once('end', () => raw.destroy());
  if (welcome === 'fin') raw.end();
}
