import { replay } from '../../concurrency/replay.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { OpenInputStore } from '../../domain/image-input.ts';

/** What the events of an image stream say, in the order in which they say it. */
export type StreamToken = ImageEvent | Undecided | Decided;

/** An image begins, as `image` does, but its event has not said yet whether it is a partial one. */
type Undecided = { readonly type: 'undecided'; readonly index: number };

/** All of that image has passed; `undefined`: it was none that anybody asked for. */
type Decided = { readonly type: 'decided'; readonly isPartial: boolean | undefined };

/** So much of an undecided image needs no spool. */
const small = { bytes: 64 * 1024, pieces: 1024 };

/**
 * The images of a stream once it is known what they are. Members of JSON have no order: an image of tens of megabytes may
 * stand before the `type` of its event, and waits in a spool until then.
 */
export async function* decideImages(
  tokens: AsyncGenerator<StreamToken>,
  openInputs: OpenInputStore,
): AsyncGenerator<ImageEvent> {
  try {
    for (let next = await tokens.next(); !next.done; next = await tokens.next()) {
      const token = next.value;
      if (token.type === 'undecided') yield* heldImage(token, tokens, openInputs);
      else if (token.type !== 'decided') yield token;
    }
  } finally {
    await tokens.return(undefined);
  }
}

/** Of the disk for spools, all upstreams together are one consumer. */
const upstreamsShare = 'upstream responses';

async function* heldImage(
  { index }: Undecided,
  tokens: AsyncGenerator<StreamToken>,
  openInputs: OpenInputStore,
): AsyncGenerator<ImageEvent> {
  const image = new ArrivingImage(tokens);
  const head: Buffer[] = [];
  for (let bytes = 0; !image.hasEnded && bytes < small.bytes && head.length < small.pieces; ) {
    const { value } = await image.next();
    if (value) head.push(value);
    bytes += value?.length ?? 0;
  }
  const spool = image.hasEnded ? undefined : openInputs(upstreamsShare);
  try {
    const file = await spool?.put(replay(head, image));
    if (image.isPartial === undefined) return;
    yield { type: 'image', index, isPartial: image.isPartial };
    for await (const chunk of spool && file ? spool.open(file) : head) yield { type: 'bytes', chunk };
  } catch (error) {
    throw isOfStorage(error) ? lost(error) : error;
  } finally {
    await spool?.release();
  }
}

/** The pieces of an undecided image, and what it has turned out to be when it has ended. */
class ArrivingImage implements AsyncIterator<Buffer, undefined> {
  readonly #tokens: AsyncIterator<StreamToken>;
  hasEnded = false;
  isPartial: boolean | undefined;

  constructor(tokens: AsyncIterator<StreamToken>) {
    this.#tokens = tokens;
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    const { value: token } = await this.#tokens.next();
    if (token?.type === 'bytes') return { value: token.chunk, done: false };
    this.hasEnded = true;
    this.isPartial = token?.type === 'decided' ? token.isPartial : undefined;
    return { value: undefined, done: true };
  }
}

/** Errors of the stream that fills a spool are errors of the upstream or of the call, and tell their own outcome. */
function isOfStorage(error: unknown): boolean {
  return !(error instanceof GatewayError) || error.kind === 'storage_failed' || error.kind === 'overloaded';
}

/** A spool's own error says that nothing was sent, which holds for uploads only: the image is paid for. */
function lost(cause: unknown): GatewayError {
  const message = 'An image could not be stored by the gateway until it was complete. It was not retried.';
  return new GatewayError('storage_failed', message, { outcome: 'unknown', cause });
}
