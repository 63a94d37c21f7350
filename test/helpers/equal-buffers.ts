import { expect } from 'vitest';

// Vitest compares buffers byte by byte, with a key for each, which takes a second for a hundred images.
expect.addEqualityTesters([
  (one: unknown, other: unknown) => (Buffer.isBuffer(one) && Buffer.isBuffer(other) ? one.equals(other) : undefined),
]);
