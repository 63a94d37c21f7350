import { parentPort, workerData } from 'node:worker_threads';
import decode from 'heic-decode';
import type { Decoded } from './decode-heic.ts';

// The thread that decodes one HEIC file: it computes for seconds, and gives back all memory when it ends.

const file = workerData as Uint8Array;
// The package refuses files by their brand that libheif decodes: `heis`, `mif2` and others. The items have said what it is.
file.set(Buffer.from('heic'), 8);

try {
  const { width, height, data } = await decode({ buffer: file });
  const pixels = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
  parentPort?.postMessage({ width, height, pixels } satisfies Decoded, [pixels.buffer]);
} catch (error) {
  parentPort?.postMessage({ damage: String(error) } satisfies Decoded);
}
