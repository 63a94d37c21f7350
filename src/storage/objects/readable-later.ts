import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { objectStoreError } from './object-store-error.ts';

/** A store that sends nothing for so long does not go on. A client that reads nothing is dropped earlier. */
const stallMs = 60_000;

/**
 * A stream whose source is opened when this returns, and which ends with an error when the source stalls.
 * @param open its signal ends with the stream
 */
export function readableLater(open: (signal: AbortSignal) => Promise<Readable>): Readable {
  const ended = new AbortController();
  const stalled = setTimeout(() => through.destroy(new Error('the object store stalls')), stallMs).unref();
  const through = new Transform({
    transform(chunk, _encoding, done) {
      stalled.refresh();
      done(null, chunk);
    },
  });
  through.once('close', () => {
    clearTimeout(stalled);
    ended.abort();
  });
  open(ended.signal)
    .then((source) => {
      // Before the pipeline hands it on: errors of the packages hold more than anybody should see.
      source.once('error', (error) => through.destroy(objectStoreError(error)));
      return pipeline(source, through);
    })
    .catch((error) => through.destroy(error));
  return through;
}
