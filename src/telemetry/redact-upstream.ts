import type { UpstreamMessage } from '../domain/gateway-error.ts';

const maxLength = 500;

/** So much of a message is looked at: what of it is the caller's is removed before it is cut. */
const readLength = 4 * maxLength;

/** What stands in a caller's text, too, for so many characters is taken for a quotation of it. */
const quotedLength = 12;

/** More than this is not searched for quotations: the message is removed instead. */
const callerLimits = { texts: 1_000, characters: 200_000 };

/** What may be a key, a token or a signature. */
const longWords = /\bsk-[\w-]+|[\w+/=-]{28,}(?:\.[\w-]{10,})*|\b[A-Za-z\d]{20,27}\b/g;

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
  const clean = withoutQuotations(text.slice(0, readLength), callerTexts)
    .replace(controls, ' ')
    .replace(queries, '?[redacted]')
    .replace(longWords, (word) => (noSecret.test(word) ? word : '[redacted]'));
  return clean.length > maxLength ? `${clean.slice(0, maxLength - 1)}…` : clean;
}

/** Upstreams may quote a part of a text, in upper or lower case, escaped as in JSON, or in one line. */
function withoutQuotations(text: string, callerTexts: readonly string[]): string {
  const characters = callerTexts.reduce((sum, { length }) => sum + length, 0);
  const lower = text.toLowerCase();
  // Some letters have another length in lower case: positions would not match.
  const isSearchable = lower.length === text.length && characters <= callerLimits.characters;
  if (!isSearchable || callerTexts.length > callerLimits.texts) return '[removed]';
  const quoted = new Uint8Array(text.length);
  const windows = windowsOf(lower);
  for (const source of new Set(callerTexts.flatMap(spellings))) {
    if (source.length < quotedLength) markWords(lower, source, quoted);
    else markQuotations(source, windows, quoted);
  }
  return removeMarked(text, quoted);
}

function spellings(callerText: string): string[] {
  const lower = callerText.trim().toLowerCase();
  return [lower, JSON.stringify(lower).slice(1, -1), lower.replace(/\s+/g, ' ')];
}

/** Where each piece of a text stands that is long enough to be a quotation. */
function windowsOf(text: string): ReadonlyMap<string, readonly number[]> {
  const starts = Array.from({ length: Math.max(0, text.length - quotedLength + 1) }, (_, start) => start);
  return Map.groupBy(starts, (start) => text.slice(start, start + quotedLength));
}

function markQuotations(source: string, windows: ReadonlyMap<string, readonly number[]>, quoted: Uint8Array): void {
  for (let at = 0; at + quotedLength <= source.length; at += 1) {
    for (const start of windows.get(source.slice(at, at + quotedLength)) ?? []) {
      quoted.fill(1, start, start + quotedLength);
    }
  }
}

/** A short text may also be a part of a word, where it is no quotation. */
function markWords(text: string, word: string, quoted: Uint8Array): void {
  if (word === '') return;
  for (let at = text.indexOf(word); at >= 0; at = text.indexOf(word, at + 1)) {
    const around = `${text[at - 1] ?? ''}${text[at + word.length] ?? ''}`;
    if (!/[\p{L}\p{N}]/u.test(around)) quoted.fill(1, at, at + word.length);
  }
}

function removeMarked(text: string, quoted: Uint8Array): string {
  let clean = '';
  for (let at = 0; at < text.length; at += 1) {
    if (quoted[at] === 0) clean += text[at];
    else if (quoted[at - 1] !== 1) clean += '[removed]';
  }
  return clean;
}
