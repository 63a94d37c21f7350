import { hash } from 'node:crypto';
import type { InputReference } from '../domain/image-input.ts';
import type { ImageRequest } from '../domain/image-request.ts';

/** Rises with what goes into a fingerprint: those of different versions cannot be compared. */
export const fingerprintVersion = 1;

/**
 * Equal for requests that ask for the same images, files included: SHA-256 of the canonical request, as base64url. How the
 * images come back (link or base64, JSON or stream) plays no part.
 */
export function fingerprint(model: string, request: ImageRequest): string {
  const { edit, delivery: _delivery, stream: _stream, partialImages: _partialImages, ...parameters } = request;
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
