import { type Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ObjectStoreError, objectStoreError } from './object-store-error.ts';

/** A store that sends nothing for so long does not go on. A client that reads nothing is dropped earlier. */
const stallMs = 60_000;

/**
 * A stream whose source is opened when this returns, and which ends with an error when the source stalls.
 * @param open its signal ends with the stream
 * @param failure what the reader gets when anything goes wrong
 */
export function readableLater(
  open: (signal: AbortSignal) => Promise<Readable>,
  failure: (error: ObjectStoreError) => Error = (error) => error,
): Readable {
  const fail = (error: unknown) => void through.destroy(failure(objectStoreError(error)));
  const ended = new AbortController();
  const stalled = setTimeout(() => fail(new ObjectStoreError({ code: 'Stalled' })), stallMs).unref();
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
      source.once('error', fail);
      return pipeline(source, through);
    })
    .catch(fail);
  return through;
}
