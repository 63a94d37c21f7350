import fc from 'fast-check';

/** How a JSON text is written beside its value: white space, escapes, order of members, and where chunks are cut. */
export type Handwriting = { readonly dice: () => number };

/** Writes a value as JSON in a random hand: every text is valid and parses to the same value. */
export function writeJson(value: unknown, { dice }: Handwriting): string {
  const blank = () => (dice() < 0.8 ? '' : ([' ', '\n', '\r\n', '\t  '][Math.floor(dice() * 4)] as string));
  const string = (text: string) =>
    `"${[
      ...JSON.stringify(text)
        .slice(1, -1)
        .matchAll(/\\u....|\\.|[^\\]/gsu),
    ]
      .map(([part]) => character(part))
      .join('')}"`;
  const character = (part: string) => {
    if (part === '/' && dice() < 0.3) return '\\/';
    if (part.length === 1 && dice() < 0.05) return `\\u${part.charCodeAt(0).toString(16).padStart(4, '0')}`;
    return part;
  };
  const write = (item: unknown): string => {
    if (typeof item === 'string') return string(item);
    if (Array.isArray(item)) return `[${blank()}${item.map(write).join(`${blank()},${blank()}`)}${blank()}]`;
    if (typeof item !== 'object' || item === null) return JSON.stringify(item);
    const members = shuffled(Object.entries(item), dice);
    return `{${blank()}${members.map(([name, member]) => `${string(name)}${blank()}:${blank()}${write(member)}`).join(`${blank()},${blank()}`)}${blank()}}`;
  };
  return `${blank()}${write(value)}${blank()}`;
}

function shuffled<T>(items: readonly T[], dice: () => number): T[] {
  return items
    .map((item) => ({ item, rank: dice() }))
    .sort((one, other) => one.rank - other.rank)
    .map(({ item }) => item);
}

/** Cuts bytes anywhere, single bytes included. */
export function cut(bytes: Buffer, { dice }: Handwriting): Buffer[] {
  const chunks: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = dice() < 0.3 ? 1 : 1 + Math.floor(dice() * 40);
    chunks.push(bytes.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

/** A repeatable source of randomness, driven by fast-check so that failures shrink and can be replayed. */
export const handwriting: fc.Arbitrary<Handwriting> = fc.integer().map((seed) => {
  let state = seed >>> 0;
  return {
    dice: () => {
      // mulberry32
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
});

export async function* asStream<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}
