import dns from 'node:dns';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type EgressProxy, EgressProxyError, egressProxyHint } from '../../domain/egress-proxy.ts';
import { bareHost, openTunnel } from '../../upstream/egress-connector.ts';
import { connectionHint, nameHint, tlsHint } from './connection-hints.ts';
import { type Finding, failed, notAsked, ok, type Step } from './finding.ts';

export type HostFindings = Readonly<Record<Extract<Step, 'name' | 'connection' | 'tls'>, Finding>>;

/**
 * Looks for a host by the way that calls take: its name, a connection, and TLS. Nothing is sent over the connection.
 * `stepMs` is the limit of each step.
 */
export async function probeHost(url: URL, proxy: EgressProxy | undefined, stepMs: number): Promise<HostFindings> {
  const isSecure = url.protocol === 'https:';
  const findings: { -readonly [Part in keyof HostFindings]: Finding } = {
    name: notAsked,
    connection: notAsked,
    tls: notAsked,
  };
  // Behind a proxy only that knows names.
  const way = isSecure ? proxy : undefined;
  if (way === undefined) {
    const name = await step(() => findName(bareHost(url.hostname), stepMs), nameHint);
    if ('finding' in name) return { ...findings, name: name.finding };
    findings.name = name.value;
  }
  const connection = await step(() => (way ? tunnel(way, url, stepMs) : dial(url, stepMs)), connectionHint);
  if ('finding' in connection) return { ...findings, connection: connection.finding };
  const socket = connection.value;
  try {
    if (!isSecure) return { ...findings, connection: ok };
    const tls = await step(() => handshake(socket, bareHost(url.hostname), stepMs), tlsHint);
    return { ...findings, connection: ok, tls: 'finding' in tls ? tls.finding : ok };
  } finally {
    socket.destroy();
  }
}

type Outcome<T> = { readonly value: T } | { readonly finding: Finding };

async function step<T>(take: () => Promise<T>, hint: (code: string) => string): Promise<Outcome<T>> {
  try {
    return { value: await take() };
  } catch (error) {
    if (error instanceof EgressProxyError) return { finding: failed(egressProxyHint(error.code)) };
    return { finding: failed(hint((error as NodeJS.ErrnoException).code ?? 'unknown')) };
  }
}

async function findName(host: string, ms: number): Promise<Finding> {
  if (isIP(host) !== 0) return notAsked;
  const found = new Promise((resolve, reject) => {
    dns.lookup(host, (error, address) => (error ? reject(error) : resolve(address)));
  });
  await inTime(found, ms);
  return ok;
}

function tunnel(proxy: EgressProxy, url: URL, ms: number): Promise<Socket> {
  return openTunnel(proxy, `${url.hostname}:${url.port || 443}`, AbortSignal.timeout(ms));
}

function dial(url: URL, ms: number): Promise<Socket> {
  const socket = connect({
    host: bareHost(url.hostname),
    port: Number(url.port || (url.protocol === 'https:' ? 443 : 80)),
  });
  return settled(socket, 'connect', ms).then(() => socket);
}

function handshake(socket: Socket, host: string, ms: number): Promise<unknown> {
  const secure = connectTls({
    socket,
    host,
    // A literal address is no server name.
    ...(isIP(host) === 0 && { servername: host }),
    ALPNProtocols: ['http/1.1'],
  });
  return settled(secure, 'secureConnect', ms);
}

function settled(socket: Socket, event: string, ms: number): Promise<unknown> {
  const arrived = new Promise((resolve, reject) => {
    socket.once(event, resolve).on('error', reject);
  });
  return inTime(arrived, ms).catch((error) => {
    socket.destroy();
    throw error;
  });
}

/** Not every one of these calls can be ended; what comes late is of no interest. */
async function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(Object.assign(new Error('too late'), { code: 'ETIMEDOUT' })), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
