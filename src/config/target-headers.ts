import { Secret } from '../domain/secret.ts';
import type { JsonPath, Report } from './problems.ts';

/** A header name and a header value of HTTP: https://www.rfc-editor.org/rfc/rfc9110#section-5 */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const headerValue = /^[!-~](?:[\t -~]*[!-~])?$/;

/** Headers that the gateway or HTTP sets. */
const reserved: readonly string[] = [
  'accept',
  'accept-encoding',
  'api-key',
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'traceparent',
  'tracestate',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-ms-oai-image-generation-deployment',
];

/** Headers that identify one request: with a fixed value, different requests would look like repeats. */
const ofOneRequest: readonly string[] = ['idempotency-key', 'operation-id', 'x-ms-client-request-id'];

/**
 * Checks the extra headers of a target, such as the key of a gateway in front of Azure. Values may be secrets, so no problem repeats
 * one. The schema reports what is not an object of strings.
 *
 * @returns false when a problem was reported
 */
export function checkHeaders(headers: unknown, path: JsonPath, report: Report): boolean {
  if (typeof headers !== 'object' || headers === null || Array.isArray(headers)) return true;
  const seen = new Set<string>();
  let isWhole = true;
  for (const [name, value] of Object.entries(headers)) {
    const problem = problemOf(name, value, seen);
    if (problem !== undefined) report([...path, name], problem);
    isWhole &&= problem === undefined;
    seen.add(name.toLowerCase());
  }
  return isWhole;
}

/** The headers as secrets, by lower-case name. */
export function secretHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, Secret>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), new Secret(value)]));
}

function problemOf(name: string, value: unknown, seen: ReadonlySet<string>): string | undefined {
  const lower = name.toLowerCase();
  if (!headerName.test(name)) return 'not a valid header name: use letters, digits and dashes';
  if (reserved.includes(lower)) return 'the gateway sets this header itself';
  if (ofOneRequest.includes(lower)) return 'this header identifies one request and cannot be the same for all';
  if (seen.has(lower)) return 'duplicate header: names are not case-sensitive';
  if (typeof value === 'string' && !headerValue.test(value)) {
    return 'must contain only ASCII characters, without spaces at either end; check for line breaks';
  }
  return undefined;
}
