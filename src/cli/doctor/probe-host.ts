import dns from 'node:dns';
import { connect, isIP, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { type EgressProxy, EgressProxyError, egressProxyHint } from '../../domain/egress-proxy.ts';
import { bareHost, openTunnel } from '../../upstream/egress-connector.ts';
import { type Finding, failed, notChecked, ok, type Step } from './findings.ts';

export type HostFindings = Readonly<Record<Extract<Step, 'name' | 'connection' | 'tls'>, Finding>>;

/**
 * Checks a host the way calls reach it: name, connection, TLS. Nothing is sent over the connection. `stepMs` limits each step.
 */
export async function probeHost(url: URL, proxy: EgressProxy | undefined, stepMs: number): Promise<HostFindings> {
  const isSecure = url.protocol === 'https:';
  const findings: { -readonly [Part in keyof HostFindings]: Finding } = {
    name: notChecked,
    connection: notChecked,
    tls: notChecked,
  };
  // Behind a proxy, the proxy resolves names.
  const proxyUsed = isSecure ? proxy : undefined;
  if (proxyUsed === undefined) {
    const name = await step(() => findName(bareHost(url.hostname), stepMs), nameHint);
    if ('finding' in name) return { ...findings, name: name.finding };
    findings.name = name.value;
  }
  const connection = await step(() => (proxyUsed ? tunnel(proxyUsed, url, stepMs) : dial(url, stepMs)), connectionHint);
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
  if (isIP(host) !== 0) return notChecked;
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
    // An IP address is not a valid server name.
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

/** Rejects after `ms`. Some of these calls cannot be aborted; their late results are ignored. */
async function inTime<T>(promise: Promise<T>, ms: number): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(Object.assign(new Error('too late'), { code: 'ETIMEDOUT' })), ms);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Why a name lookup failed, by its error code. */
export function nameHint(code: string): string {
  if (code === 'ENOTFOUND') {
    return 'the host does not exist: check `baseURL`; with a private endpoint, check the DNS zone of this network';
  }
  return `the name lookup failed (${code}): check the DNS of this machine, or set \`egressProxy\` if only a proxy can resolve names`;
}

/** Why a connection failed, by its error code. */
export function connectionHint(code: string): string {
  if (code === 'ECONNREFUSED') return 'connection refused: check host and port of `baseURL`';
  if (code === 'ETIMEDOUT' || code === 'EHOSTUNREACH' || code === 'ENETUNREACH') {
    return `the host cannot be reached (${code}): a firewall may drop the connection; allow this host and port, or set \`egressProxy\``;
  }
  return `the connection failed (${code}): a firewall may block it; allow the host, or set \`egressProxy\``;
}

const untrusted = [
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
];

/** Why a TLS handshake failed, by its error code. */
export function tlsHint(code: string): string {
  if (untrusted.includes(code)) {
    return 'the certificate authority is not trusted, as behind a proxy that inspects TLS: set NODE_EXTRA_CA_CERTS to the file of its certificate';
  }
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    return 'the certificate belongs to another host: check `baseURL` and the DNS';
  }
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID') {
    return 'the certificate is expired or not valid yet: check the clock of this machine and the certificate';
  }
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG') {
    return 'the port does not speak TLS: check scheme and port of `baseURL`';
  }
  return `the TLS handshake failed (${code}): a firewall or proxy that inspects TLS may block this host`;
}
