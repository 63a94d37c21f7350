import dns from 'node:dns';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type EgressProxy, EgressProxyError, egressProxyHint } from '../../domain/egress-proxy.ts';
import { bareHost } from '../../upstream/bare-host.ts';
import { openTunnel } from '../../upstream/egress-connector.ts';
import { type Finding, failed, notAsked, ok, type Step } from './findings.ts';

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

/** Why a name was not found, by the code of the look-up. */
export function nameHint(code: string): string {
  if (code === 'ENOTFOUND') {
    return 'there is no such host: check `baseURL`, and where the resource has a private endpoint, the DNS zone of this network';
  }
  return `the name could not be looked up (${code}): check the DNS of this machine, or set \`egressProxy\` where only a proxy knows names`;
}

/** Why there was no connection, by the code of the socket. */
export function connectionHint(code: string): string {
  if (code === 'ECONNREFUSED') return 'nothing listens there: check host and port of `baseURL`';
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return `the host cannot be reached (${code}): a firewall may drop it; allow it on this port, or set \`egressProxy\``;
  }
  return `the connection was broken (${code}): a firewall may refuse it; allow the host, or set \`egressProxy\``;
}

const untrusted = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
];

/** Why there was no TLS, by the code of the handshake. */
export function tlsHint(code: string): string {
  if (untrusted.includes(code)) {
    return 'the certificate is of an authority that is not trusted, as of a proxy that inspects TLS: name the file of its certificate in NODE_EXTRA_CA_CERTS';
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'the certificate is for another host: check `baseURL`, and whether the DNS leads to the right place';
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'the certificate is not valid at this time: check the clock of this machine, and renew the certificate if it has expired';
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'the port does not speak TLS: check whether `baseURL` has to begin with http, or names a wrong port';
  }
  return `TLS was broken off (${code}): a firewall or proxy may inspect TLS and not allow this host`;
}
