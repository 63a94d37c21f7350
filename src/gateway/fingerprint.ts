import { createHash } from 'node:crypto';
import type { ImageInput } from '../domain/image-input.ts';
import type { ImageRequest } from '../domain/image-request.ts';

/** Equal for requests that ask for the same, files included: SHA-256 of the canonical request, as base64url. */
export function fingerprint(model: string, { edit, ...parameters }: ImageRequest): string {
  const files = edit && {
    images: edit.images.map(digest),
    mask: edit.mask && digest(edit.mask),
    markup: edit.markup && digest(edit.markup),
  };
  return createHash('sha256').update(canonical({ model, parameters, files })).digest('base64url');
}

function digest({ sha256 }: ImageInput): string {
  return sha256;
}

/** JSON with the members of objects in order; members that are `undefined` are left out. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([one], [other]) => (one < other ? -1 : 1)))
      : part,
  );
}
