import type { Secret } from './secret.ts';

/** The proxy of an enterprise network through which calls by https leave it. */
export type EgressProxy = {
  /** `http://proxy.example.com:3128`; with https the way to the proxy is encrypted, too. */
  readonly origin: string;
  /** `user:password`. */
  readonly credentials?: Secret;
};

/** Whether calls leave the network by the same way. */
export function isSameProxy(one: EgressProxy | undefined, other: EgressProxy | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  const [first, second] = [one.credentials, other.credentials];
  return one.origin === other.origin && (first && second ? first.equals(second) : first === second);
}

/** The proxy did not open the way: nothing has reached the upstream, not even the name of a path. */
export class EgressProxyError extends Error {
  override readonly name = 'EgressProxyError';
  /** The proxy's status (`407`), or the code of what broke the way to it (`ECONNREFUSED`). */
  readonly code: string;

  constructor(code: string, cause?: unknown) {
    super('the egress proxy did not open the way', { cause });
    this.code = code;
  }
}

/** What an operator can do about it, in one sentence. */
export function egressProxyHint(code: string): string {
  if (code === '407') return 'the egress proxy wants other credentials: check user and password of `egressProxy`';
  if (code === '403') return 'the egress proxy does not allow this host: ask whoever runs it to allow it on port 443';
  if (/^5\d\d$/.test(code))
    return 'the egress proxy could not reach the host: check `baseURL`, and ask whoever runs it';
  if (/^\d{3}$/.test(code)) return 'the egress proxy does not open tunnels (CONNECT): check that `egressProxy` is one';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN')
    return 'the name of the egress proxy is not known: check `egressProxy`';
  if (code === 'ETIMEDOUT')
    return 'the egress proxy did not open the way in time: check `egressProxy` and the host behind it';
  return 'the egress proxy cannot be reached: check scheme, host and port of `egressProxy`';
}
