import { setTimeout as wait } from 'node:timers/promises';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { OpenImage } from '../domain/image-store.ts';
import type { JobAttempt } from '../domain/job-store.ts';
import type { Target } from '../targets/model-catalog.ts';
import type { TargetCall } from '../targets/target-health.ts';
import type { GenerationCalls } from './failover.ts';
import { fanOut } from './fan-out.ts';
import { storedImage } from './stored-image.ts';
import { type CallContext, UpstreamCall } from './upstream-call.ts';

/** A piece of a job that an earlier owner has paid for: its images are stored, or its upstream has accepted it. */
export type PaidPiece =
  | { readonly kind: 'stored'; readonly images: readonly OpenImage[] }
  | { readonly kind: 'accepted'; readonly attempt: JobAttempt; readonly handle: string; readonly target: Target };

type ResumptionParts = {
  /** As far as it is known: its prompt is not. */
  readonly request: ImageRequest;
  readonly pieces: readonly PaidPiece[];
  readonly deliversPart: boolean;
  readonly context: CallContext;
};

const againMs = 5_000;

/** Polls take no part in what a target can do at once. */
const noPermit: TargetCall = {
  queueMs: 0,
  succeeded() {},
  failed() {},
  truncated() {},
  [Symbol.dispose]() {},
};

/** Follows what an earlier owner of a job has paid for, by its handles. Never sends a paid call. */
export class Resumption implements GenerationCalls {
  readonly calls: UpstreamCall[] = [];
  readonly asked: ImageRequest;
  readonly adaptations = [];
  /** Every piece has been stored, or has a handle. */
  readonly isFollowable = true;
  readonly #parts: ResumptionParts;
  /** Pieces of which the upstream says that it has made nothing. */
  readonly #failed = new Set<PaidPiece>();

  constructor(parts: ResumptionParts) {
    this.#parts = parts;
    this.asked = parts.request;
  }

  /** Also while the upstream cannot be asked, and before it was. */
  get isOpen(): boolean {
    return this.#parts.pieces.some((piece) => !this.#failed.has(piece));
  }

  run(): Promise<AsyncIterable<ImageEvent>> {
    const { pieces, deliversPart } = this.#parts;
    const starts = pieces.map((piece) => () => this.#events(piece));
    return fanOut(starts, { isStream: false, deliversPart });
  }

  async #events(piece: PaidPiece): Promise<AsyncIterable<ImageEvent>> {
    if (piece.kind === 'stored') return storedEvents(piece.images);
    const { signal } = this.#parts.context;
    for (;;) {
      try {
        return await this.#follow(piece);
      } catch (error) {
        signal.throwIfAborted();
        // The upstream could not even be asked: the work goes on there all the same.
        const outcome = error instanceof GatewayError ? error.outcome : 'unknown';
        if (outcome === 'failed' || outcome === 'refused') this.#failed.add(piece);
        if (outcome !== 'not-processed') throw error;
        await wait(againMs, undefined, { signal, ref: false }).catch(() => signal.throwIfAborted());
      }
    }
  }

  #follow({ attempt, handle, target }: Extract<PaidPiece, { kind: 'accepted' }>): Promise<AsyncIterable<ImageEvent>> {
    const { request, context } = this.#parts;
    const { leg, images, asked, conversion } = attempt;
    const piece = { ...request, ...asked, count: images.length };
    const call = new UpstreamCall(
      target,
      { leg, request: piece, conversion, accepted: { handle, imageIds: images } },
      noPermit,
      context,
    );
    call.attempt.sent = true;
    const before = this.calls.findIndex((other) => other.leg === leg);
    this.calls.splice(before < 0 ? this.calls.length : before, before < 0 ? 0 : 1, call);
    return call.run();
  }
}

/** What is known of images of which only the files are left. */
async function* storedEvents(images: readonly OpenImage[]): AsyncGenerator<ImageEvent> {
  for (const [index, image] of images.entries()) yield* storedImage(image, { index });
  yield { type: 'done' };
}
