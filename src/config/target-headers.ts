import { Secret } from '../domain/secret.ts';
import type { JsonPath, Report } from './problems.ts';

/** A header name and a header value of HTTP: https://www.rfc-editor.org/rfc/rfc9110#section-5 */
const headerName = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,128}$/;
const headerValue = /^[!-~](?:[\t -~]*[!-~])?$/;

/** Set by the gateway for each call, or by HTTP for each connection. */
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

/** Tell one request from another, so one value for all of them would make different requests look like repeats. */
const ofOneRequest: readonly string[] = ['idempotency-key', 'operation-id', 'x-ms-client-request-id'];

/**
 * Checks the further headers of a target, for front doors that want a key of their own. Values may be secrets: no problem
 * repeats one. What is no object of strings is left to the schema.
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

/** The same headers as secrets, by their names in lower case. */
export function secretHeaders(headers: Readonly<Record<string, string>>): Readonly<Record<string, Secret>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), new Secret(value)]));
}

function problemOf(name: string, value: unknown, seen: ReadonlySet<string>): string | undefined {
  const lower = name.toLowerCase();
  if (!headerName.test(name)) return 'this is not a header name: use letters, digits and dashes';
  if (reserved.includes(lower)) return 'this header is set by the gateway itself';
  if (ofOneRequest.includes(lower)) return 'this header belongs to one request: it cannot be the same for all';
  if (seen.has(lower)) return 'the same header is there already: case does not matter';
  if (typeof value === 'string' && !headerValue.test(value)) {
    return 'must hold ASCII characters only, without blanks at its ends; check for line breaks';
  }
  return undefined;
}
