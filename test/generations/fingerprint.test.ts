import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import { fingerprint } from '../../src/generations/fingerprint.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';
import { editInputs, imageInput, inputs } from '../helpers/image-input.ts';

const [red, green, blue] = ['red', 'green', 'blue'].map((name) => imageInput(Buffer.from(name))) as [
  ReturnType<typeof imageInput>,
  ReturnType<typeof imageInput>,
  ReturnType<typeof imageInput>,
];

const changes: Record<string, Partial<ImageRequest>> = {
  prompt: { prompt: 'a dog' },
  count: { count: 2 },
  size: { size: '1024x1024' },
  quality: { quality: 'high' },
  background: { background: 'opaque' },
  outputFormat: { outputFormat: 'png' },
  outputCompression: { outputCompression: 0 },
  moderation: { moderation: 'low' },
  style: { style: 'vivid' },
  inputFidelity: { inputFidelity: 'high' },
  user: { user: 'somebody' },
  extra: { extra: { seed: 1 } },
  'another extra': { extra: { seed: '1' } },
  'a null extra': { extra: { seed: null } },
  'one image': { edit: editInputs([red]) },
  'another image': { edit: editInputs([green]) },
  'two images': { edit: editInputs([red, green]) },
  'two images the other way round': { edit: editInputs([green, red]) },
  'a mask': { edit: editInputs([red], { mask: green }) },
  'another mask': { edit: editInputs([red], { mask: blue }) },
  'a markup': { edit: editInputs([red], { markup: green }) },
};

/** How the same images come back. */
const deliveries: Record<string, Partial<ImageRequest>> = {
  delivery: { delivery: 'url' },
  stream: { stream: true },
  partialImages: { partialImages: 1 },
};

/** The same value with the members of all objects in another order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, member]) => [name, turned(member)]),
  );
}

const extra = fc.dictionary(fc.string(), fc.jsonValue()) as fc.Arbitrary<Record<string, unknown>>;
const runs = { numRuns: 1000 };

describe('the fingerprint of a request', () => {
  test('changes with each member that decides about its images', () => {
    const all = [plainRequest, ...Object.values(changes).map((change) => ({ ...plainRequest, ...change }))];
    expect(new Set(all.map((request) => fingerprint('image', request))).size).toBe(all.length);
    expect(fingerprint('poster', plainRequest)).not.toBe(fingerprint('image', plainRequest));
  });

  test.each(Object.entries(deliveries))('does not change with how its images come back: %s', (_, change) => {
    expect(fingerprint('image', { ...plainRequest, ...change })).toBe(fingerprint('image', plainRequest));
  });

  test('covers every member that a request has', () => {
    const all = [...Object.values(changes), ...Object.values(deliveries)];
    const changed = new Set(all.flatMap((change) => Object.keys(change)));
    expect(changed).toEqual(new Set(Object.keys(plainRequest)));
  });

  test('is the same whichever way its members stand, and whether they are undefined or absent', () => {
    fc.assert(
      fc.property(extra, (members) => {
        const request = { ...plainRequest, extra: members };
        const { size: _size, style: _style, ...absent } = request;
        expect(fingerprint('image', turned(request) as ImageRequest)).toBe(fingerprint('image', request));
        expect(fingerprint('image', absent as ImageRequest)).toBe(fingerprint('image', request));
      }),
      runs,
    );
  });

  test('differs when its uninterpreted parameters do', () => {
    fc.assert(
      fc.property(extra, extra, (one, other) => {
        const text = (value: unknown) => JSON.stringify(value);
        const isSame = text(sorted(one)) === text(sorted(other));
        const prints = [one, other].map((members) => fingerprint('image', { ...plainRequest, extra: members }));
        expect(prints[0] === prints[1]).toBe(isSame);
      }),
      runs,
    );
  });

  test('knows files by their content alone', () => {
    const again = editInputs([imageInput(Buffer.from('red'))], {
      inputs: { ...inputs, release: () => Promise.reject(new Error('unused')) },
    });
    expect(fingerprint('image', { ...plainRequest, edit: again })).toBe(
      fingerprint('image', { ...plainRequest, edit: editInputs([red]) }),
    );
  });
});

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).map(([name, member]): [string, unknown] => [name, sorted(member)]);
  return members.toSorted(([one], [other]) => (one < other ? -1 : 1));
}
