import { hash } from 'node:crypto';
import type { InputReference } from '../domain/image-input.ts';
import type { ImageRequest } from '../domain/image-request.ts';

/** Equal for requests that ask for the same, files included: SHA-256 of the canonical request, as base64url. */
export function fingerprint(model: string, { edit, ...parameters }: ImageRequest): string {
  const files = edit && {
    images: edit.images.map(digest),
    mask: edit.mask && digest(edit.mask),
    markup: edit.markup && digest(edit.markup),
  };
  return hash('sha256', JSON.stringify(inOrder({ model, parameters, files })), 'base64url');
}

function digest({ sha256 }: InputReference): string {
  return sha256;
}

/** The same value with the members of all its objects in order. */
function inOrder(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(inOrder);
  return Object.fromEntries(
    Object.entries(value)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([name, member]) => [name, inOrder(member)]),
  );
}
