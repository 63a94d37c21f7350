/** The buffers of so many bytes are collected together. With twice as many, V8 soon collects everything four times as often. */
export const collectedBytes = 4 * 1024 * 1024;

let uncollected = 0;

/**
 * To be told of buffers that pass: now and then it has V8 collect its young objects, which lets go of those that have
 * passed before. They lie outside of V8's heap, and images make so few objects inside that V8 would do that late, while
 * buffers pile up. Needs `--expose-gc`, which `npm start` gives; without it V8 decides alone.
 */
export function noteBuffer(bytes: number): void {
  uncollected += bytes;
  if (uncollected < collectedBytes) return;
  uncollected = 0;
  globalThis.gc?.({ type: 'minor' });
}
