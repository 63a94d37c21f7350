import { parentPort, workerData } from 'node:worker_threads';
import decode from 'heic-decode';

// The thread that decodes one HEIC file: it computes for seconds, and gives back all memory when it ends.

const { width, height, data } = await decode({ buffer: workerData as Uint8Array });
const pixels = new Uint8Array(data);
parentPort?.postMessage({ width, height, pixels }, [pixels.buffer]);
