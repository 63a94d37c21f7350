import type { UpstreamMessage } from './gateway-error.ts';

const maxLength = 500;

/** So much of a message is looked at: what of it is the caller's is removed before it is cut. */
const readLength = 4 * maxLength;

/** What stands in a caller's text, too, for so many characters is taken for a quotation of it. */
const quotedLength = 12;

/** What may be a key, a token or a signature; OpenAI's keys can be short. */
const longWords = /\bsk-[\w-]+|[\w+/=-]{28,}(?:\.[\w-]{10,})*/g;

/** A request id, which Azure's support asks for, or a name such as that of a header. */
const noSecret = /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$|^(?!sk-)\D+$/i;

/** The queries of URLs may hold signatures of any form. */
const queries = /\?[^\s'"<>=]{1,100}=[^\s'"<>]*/g;

/** Of both sets of control characters, and what ends a line beside them. */
const controls = /[\p{Cc}\u2028\u2029]+/gu;

/**
 * What an upstream says, for its operator: at most 500 characters, in one line, without what the caller has written and
 * without secrets.
 */
export function redactUpstream(told: UpstreamMessage, callerTexts: readonly string[]): UpstreamMessage {
  const redacted = (text: string | undefined) => (text === undefined ? undefined : redact(text, callerTexts));
  return { ...told, code: redacted(told.code), message: redacted(told.message) };
}

/** In one line, for people: `Azure says: 404 DeploymentNotFound "…"`. */
export function describeUpstream({ status, code, message }: UpstreamMessage): string {
  const words = [status, code, message && JSON.stringify(message)].filter((word) => word !== undefined);
  return `Azure says: ${[...new Set(words.map(String))].join(' ')}`;
}

function redact(text: string, callerTexts: readonly string[]): string {
  const clean = callerTexts
    .reduce(withoutQuotations, text.slice(0, readLength))
    .replace(controls, ' ')
    .replace(queries, '?[redacted]')
    .replace(longWords, (word) => (noSecret.test(word) ? word : '[redacted]'));
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean;
}

/** Upstreams may quote a part, and in upper or lower case. A short text may also be a part of a word. */
function withoutQuotations(text: string, callerText: string): string {
  const [lower, source] = [text.toLowerCase(), callerText.trim().toLowerCase()];
  // Some letters have another length in lower case: positions would not match, so that nothing can be kept.
  if (lower.length !== text.length) return '[removed]';
  const length = Math.min(quotedLength, source.length);
  let clean = '';
  let kept = 0;
  for (let at = 0; length > 0 && at + length <= text.length; at += 1) {
    if (!source.includes(lower.slice(at, at + length))) continue;
    if (length < quotedLength && isInWord(lower, at, at + length)) continue;
    if (at > kept || at === 0) clean += `${text.slice(kept, at)}[removed]`;
    kept = at + length;
  }
  return clean + text.slice(kept);
}

function isInWord(text: string, start: number, end: number): boolean {
  return /[\p{L}\p{N}]/u.test(`${text[start - 1] ?? ''}${text[end] ?? ''}`);
}
