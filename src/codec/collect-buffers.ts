/** So many bytes of buffers are collected together. With twice as many, V8 soon runs full collections four times as often. */
export const collectedBytes = 4 * 1024 * 1024;

let uncollected = 0;

/**
 * Counts the buffers that pass, and now and then has V8 collect its young objects, which frees the buffers of before.
 * Buffers lie outside of V8's heap, and images make so few objects inside it that V8 would collect late, while buffers pile
 * up. Needs `--expose-gc`, which `npm start` sets; without it V8 decides alone.
 */
export function noteBuffer(bytes: number): void {
  uncollected += bytes;
  if (uncollected < collectedBytes) return;
  uncollected = 0;
  globalThis.gc?.({ type: 'minor' });
}
