import { isObject } from './request-body.ts';

// Deeper than any member that may hold an image; a body can be nested as deep as its sender likes.
const deepest = 8;

/** The same JSON value with the data of its data URLs left out, so that it takes no megabytes to remember it. */
export function shortenDataUrls(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return shortenDataUrl(value);
  if (depth === deepest) return value;
  if (Array.isArray(value)) return value.map((item) => shortenDataUrls(item, depth + 1));
  if (!isObject(value)) return value;
  const members = Object.entries(value).map(([name, member]) => [name, shortenDataUrls(member, depth + 1)] as const);
  return Object.fromEntries(members);
}

function shortenDataUrl(text: string): string {
  const head = /^data:[^,;]{0,100};base64,/.exec(text)?.[0];
  return head === undefined ? text : `${head}…(${text.length - head.length} characters)`;
}
