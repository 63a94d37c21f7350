import { invalidResponse } from '../../upstream/paid-call-error.ts';

/** White space and control characters are in no URL, and a parser of URLs would leave some of them out. */
const webLink = /^https?:\/\/[^\s\p{Cc}]+$/iu;

/**
 * The link to an image in a member of an upstream's response; `undefined` when the member is empty. Throws
 * `upstream_invalid_response` for what a caller must not follow: other schemes (`javascript:`, `file:`, `data:`), and
 * credentials, with which `fetch` refuses a URL.
 */
export function imageLink(member: unknown): string | undefined {
  const link = typeof member === 'string' ? member.trim() : '';
  if (link === '') return undefined;
  const url = webLink.test(link) ? URL.parse(link) : null;
  if (url === null || url.username !== '' || url.password !== '') throw invalidResponse('a link is not of the web');
  return link;
}
