import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import type { FormRecord } from '../../simulator/receive-form.ts';
import type { Rig } from './rig.ts';

const hash = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** That the first call to Azure had these images in this order, and this mask, all unchanged. */
export function expectUploaded(rig: Rig, images: readonly Buffer[], mask?: Buffer): void {
  const { files = [] } = (rig.paidCalls()[0]?.body ?? {}) as Partial<FormRecord>;
  const hashesOf = (role: RegExp) => files.filter(({ part }) => role.test(part)).map(({ sha256 }) => sha256);
  expect({ images: hashesOf(/^image/), mask: hashesOf(/^mask$/) }).toEqual({
    images: images.map(hash),
    mask: mask === undefined ? [] : [hash(mask)],
  });
}
