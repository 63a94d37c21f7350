import type { Release } from '../concurrency/release.ts';
import type { Bill } from '../domain/bill.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader, GenerationReport, Settlement } from '../domain/generation.ts';
import type { ImageEvent, ImageFacts } from '../domain/image-event.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { AttemptEnd, AttemptRecord } from '../domain/recorder.ts';
import type { LogicalModel, Target } from '../targets/model-catalog.ts';
import { isTargetFault } from '../targets/outcome.ts';
import { type AskParts, AskTargets } from './ask-targets.ts';
import type { PaidAttempt } from './attempt.ts';
import { type Interruption, interruptionError } from './interruption.ts';

type Start = Omit<AskParts, 'delivering' | 'deadline'> & {
  readonly model: LogicalModel;
  /** For the log. */
  readonly requestId: string | undefined;
  readonly timeoutMs: number;
  readonly delivering: Omit<AskParts['delivering'], 'signal' | 'retryUntil'>;
  /** Waits for the process to have room; rejects with `overloaded`. */
  readonly turn: (signal: AbortSignal) => Promise<Release>;
  /** Called when the caller has left a generation that may be billed already. */
  readonly onOrphaned: (generation: GenerationReader, giveUp: () => void) => void;
  /** Called once, when it is settled: with its failure, if it had one, and whether a call of it may be billed. */
  readonly onSettled: (generation: GenerationReader, failure: unknown, mayBeBilled: boolean) => void;
};

/** Starts a request, with one deadline over everything: the queue, all calls, the waits, and the answer's transfer. */
export function startGeneration(start: Start): GenerationReader {
  const { request, delivering, timeoutMs, turn } = start;
  const interrupt = new AbortController();
  const { signal } = interrupt;
  const begin = performance.now();
  const deadline = begin + timeoutMs;
  // Free steps end a moment earlier, so that their own failure is told, and not only that the time is over.
  const retryUntil = deadline - Math.min(1_000, timeoutMs / 10);
  const asking = new AskTargets({ ...start, deadline, delivering: { ...delivering, signal, retryUntil } });
  let turnMs = 0;
  let knownAt: number | undefined;
  let endTurn: Release | undefined;
  let isAnswered = false;
  let isRead = false;
  let isSettled = false;

  async function run(): Promise<AsyncIterable<ImageEvent>> {
    try {
      endTurn = await turn(signal);
      turnMs = performance.now() - begin;
      signal.throwIfAborted();
      const events = await asking.ask(request);
      // An interruption has also ended the calls whose images would be the delivered part.
      signal.throwIfAborted();
      isAnswered = true;
      return noteReading(events);
    } finally {
      knownAt = performance.now();
      // It may have ended in the very moment in which its turn came.
      if (isSettled) endTurn?.();
    }
  }

  function noteReading(events: AsyncIterable<ImageEvent>): AsyncIterable<ImageEvent> {
    return {
      [Symbol.asyncIterator]() {
        isRead = true;
        return events[Symbol.asyncIterator]();
      },
    };
  }

  function cancel(why: Interruption): void {
    const { attempts } = asking;
    interrupt.abort(
      interruptionError(why, { isOpen: attempts.some(({ isOpen }) => isOpen), isTried: attempts.length > 0 }),
    );
    // Nobody is there to read them, and to notice.
    if (isLost()) end('abandoned', signal.reason);
  }

  /** Its images have come, but it was ended before anybody has read them. */
  function isLost(): boolean {
    return isAnswered && !isRead && signal.aborted;
  }
  const timer = setTimeout(() => cancel('deadline'), timeoutMs);

  function end(how: Settlement, failure?: unknown, truncatedBy?: unknown): void {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(timer);
    const mayBeBilled = asking.attempts.some(({ isOpen }) => isOpen);
    const wasEnded = signal.aborted;
    const truncated = new Set<Target>();
    for (const attempt of asking.attempts) {
      const attemptEnd = attempt.endOf(how);
      if (attemptEnd === 'truncated') truncated.add(attempt.target);
      delivering.recorder.attemptEnded(attemptRecord(start, attempt, attemptEnd));
      if (attempt.isShort) delivering.recorder.anomaly('fewer_images');
    }
    // One broken response is one failure of its target, however many calls were needed for it; a refusal is none.
    const isTheirs = !wasEnded && truncatedBy instanceof GatewayError && isTargetFault(truncatedBy);
    for (const { health } of isTheirs ? truncated : []) health.breaker.failed(performance.now());
    // Whatever is still open (a body, a poll, a download) ends with the signal.
    interrupt.abort(hasEnded);
    asking.release();
    endTurn?.();
    void request.edit?.release();
    start.onSettled(generation, failure, mayBeBilled);
  }

  function giveUp(): void {
    cancel('client gone');
    end('abandoned');
  }

  /** The generation for one caller: when that has left, it is the next one's, and the first one has no part in it. */
  function forCaller(): GenerationReader {
    const left = Promise.withResolvers<never>();
    let isLeft = false;
    const known = Promise.race([answer, left.promise]);
    known.catch(() => {});
    return {
      report,
      get events() {
        return isLost() ? Promise.reject(signal.reason) : known;
      },
      signal,
      cancel,
      settle(how, truncatedBy) {
        if (!isLeft) end(how, undefined, truncatedBy);
      },
      leave() {
        if (isSettled || isLeft) return;
        if (isRead) return cancel('client gone');
        if (asking.attempts.every(({ isOpen }) => !isOpen)) return giveUp();
        isLeft = true;
        left.reject(interruptionError('client gone', { isOpen: true, isTried: true }));
        start.onOrphaned(forCaller(), giveUp);
      },
    };
  }

  const report = liveReport(start, asking, {
    begin,
    knownAt: () => knownAt,
    turnMs: () => turnMs,
    isAnswered: () => isAnswered,
  });
  const answer = run();
  const generation = forCaller();
  // Calls that still ran when another one failed were given up: they may have been billed.
  answer.catch((error) => end('abandoned', error));
  return generation;
}

/** Made once: every generation ends with it, nobody sees it, and an error's stack costs more than the rest of the end. */
const hasEnded = new GatewayError('internal_error', 'The generation has ended.');

type Progress = {
  readonly begin: number;
  readonly knownAt: () => number | undefined;
  readonly turnMs: () => number;
  /** Whether there are images. */
  readonly isAnswered: () => boolean;
};

function liveReport(
  { model, request, maxRetries, timeoutMs }: Start,
  asking: AskTargets,
  { begin, knownAt, turnMs, isAnswered }: Progress,
): GenerationReport {
  const lastTarget = (): Target | undefined => asking.attempts.at(-1)?.target;
  return {
    model: model.name,
    get target() {
      return lastTarget()?.name;
    },
    get provider() {
      return lastTarget()?.provider.id;
    },
    get asked() {
      return factsOf(asking.fitted.legs[0]);
    },
    get adaptations() {
      return asking.adaptations;
    },
    get attempts() {
      return asking.attempts.length;
    },
    get sent() {
      return asking.attempts.some(({ attempt }) => attempt.sent);
    },
    maxRetries,
    timeoutMs,
    get queueMs() {
      return turnMs() + asking.queueMs;
    },
    get upstreamMs() {
      const at = knownAt();
      // Calls that wait at the same time count each.
      return at && Math.max(0, at - begin - turnMs() - asking.queueMs);
    },
    startedAt: begin,
    get knownAt() {
      return knownAt();
    },
    get bill() {
      return sumOf(asking.attempts.map(({ bill }) => bill));
    },
    get costAhead() {
      // The calls of a stream may not even have been made.
      return isAnswered() && !request.stream ? certainCost(asking.attempts) : undefined;
    },
    get upstreamRequestId() {
      return asking.attempts.map(({ attempt }) => attempt.upstreamRequestId).findLast((id) => id !== undefined);
    },
  };
}

function sumOf(bills: readonly Bill[]): Bill {
  return {
    cost: bills.reduce<Bill['cost']>(
      (sum, { cost }) => (sum !== undefined && cost !== undefined ? sum + cost : undefined),
      0n,
    ),
    currency: bills.find(({ currency }) => currency !== undefined)?.currency,
    mayBeMore: bills.some(({ mayBeMore }) => mayBeMore),
  };
}

function certainCost(attempts: readonly PaidAttempt[]): GenerationReport['costAhead'] {
  const { cost, currency } = sumOf(attempts.map((attempt) => ({ ...attempt.bill, cost: attempt.certainCost })));
  return cost === undefined || currency === undefined ? undefined : { cost, currency };
}

function attemptRecord(
  { model, request, requestId, delivering }: Start,
  paid: PaidAttempt,
  end: AttemptEnd,
): AttemptRecord {
  const { target, attempt, error, queueMs, upstreamMs, tokens, bill } = paid;
  const { sent, status, upstreamRequestId } = attempt;
  return {
    requestId,
    traceId: delivering.trace?.traceId,
    model: model.name,
    target: target.name,
    provider: target.provider.id,
    request,
    count: paid.request.count,
    images: paid.made?.images,
    end,
    sent,
    status,
    error,
    queueMs,
    upstreamMs,
    upstreamRequestId,
    tokens,
    bill,
  };
}

function factsOf({ size, quality, background, outputFormat }: ImageRequest): ImageFacts {
  const facts = { size, quality, background, outputFormat };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}
