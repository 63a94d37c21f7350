import { GatewayError } from '../domain/gateway-error.ts';
import type { Generation, GenerationReport } from '../domain/generation.ts';
import type { ImageEvent, ImageFacts } from '../domain/image-event.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { AttemptEnd, Recorder } from '../domain/recorder.ts';
import type { Hosting } from './deliver-url.ts';
import { fanOut } from './fan-out.ts';
import { type FittedRequest, fitRequest, withDefaults } from './fit-request.ts';
import { type Interruption, interruptionError } from './interruption.ts';
import { createLeg, type Leg } from './leg.ts';
import type { LogicalModel, Target } from './model-catalog.ts';

type Start = {
  readonly model: LogicalModel;
  readonly target: Target;
  readonly request: ImageRequest;
  readonly recorder: Recorder;
  readonly hosting: Hosting | undefined;
  /** Called once, when the generation is settled. */
  readonly onSettled: () => void;
};

/** Starts a request against one target, with one deadline over everything. Throws when the target cannot serve it. */
export function startGeneration({ model, target, request, recorder, hosting, onSettled }: Start): Generation {
  const asked = withDefaults(request, model.defaults);
  const fitted = fitRequest(asked, { family: target.family, policy: model.parameters });
  if (fitted.adaptations.includes('delivery=url') && hosting === undefined) throw hostingUnavailable();

  const interrupt = new AbortController();
  const { signal } = interrupt;
  const legs = fitted.legs.map((leg) => {
    const delivery = asked.stream ? 'b64_json' : asked.delivery;
    const request = collapsesStream(leg, target) ? asStreamed(leg) : leg;
    return createLeg({ target, request, delivery, wantsPreviews: asked.stream, hosting, signal, recorder });
  });
  const begin = performance.now();
  let knownAt: number | undefined;
  let isSettled = false;

  async function run(): Promise<AsyncIterable<ImageEvent>> {
    try {
      const starts = legs.map((leg) => leg.start);
      const [only, ...others] = starts;
      if (only !== undefined && others.length === 0) return await only();
      const events = await fanOut(starts, { isStream: asked.stream, deliversPart: model.partialSuccess === 'deliver' });
      // An interruption has also ended the calls whose pictures would be the delivered part.
      signal.throwIfAborted();
      return events;
    } finally {
      knownAt = performance.now();
    }
  }

  function cancel(why: Interruption): void {
    interrupt.abort(interruptionError(why, { sent: legs.some(({ attempt }) => attempt.sent) }));
  }
  const deadline = setTimeout(() => cancel('deadline'), model.timeoutMs);

  function end(how: AttemptEnd): void {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(deadline);
    for (const leg of legs) {
      const legEnd = leg.endOf(how);
      if (legEnd) recorder.attemptEnded(target.provider.id, legEnd);
    }
    // Whatever is still open (a body, a poll, a download) ends with the signal.
    interrupt.abort(new GatewayError('internal_error', 'The generation has ended.'));
    void request.edit?.release();
    onSettled();
  }

  const answer = run();
  // Calls that still ran when another one failed were given up: they may have been billed.
  answer.catch(() => end('abandoned'));

  return {
    report: liveReport({ model, target, legs, fitted }, () => knownAt && knownAt - begin),
    answer,
    signal,
    cancel,
    settle: end,
  };
}

/** A call of one picture may go over the upstream's stream, because quiet connections are reported to be cut there. */
function collapsesStream({ stream, count }: ImageRequest, { family, upstreamStream }: Target): boolean {
  return upstreamStream === 'always' && family.streams && !stream && count === 1;
}

/** A stream carries base64, whatever the caller gets in the end. */
function asStreamed(request: ImageRequest): ImageRequest {
  return { ...request, stream: true, partialImages: 1, delivery: undefined };
}

type ReportFacts = { model: LogicalModel; target: Target; legs: readonly Leg[]; fitted: FittedRequest };

function liveReport(facts: ReportFacts, upstreamMs: () => number | undefined): GenerationReport {
  const { model, target, legs, fitted } = facts;
  return {
    model: model.name,
    target: target.name,
    provider: target.provider.id,
    asked: factsOf(fitted.legs[0]),
    adaptations: fitted.adaptations,
    get attempts() {
      return legs.filter((leg) => leg.endOf('delivered') !== undefined).length;
    },
    get sent() {
      return legs.some(({ attempt }) => attempt.sent);
    },
    get upstreamMs() {
      return upstreamMs();
    },
    get upstreamRequestId() {
      return legs.map(({ attempt }) => attempt.upstreamRequestId).find((id) => id !== undefined);
    },
  };
}

function factsOf({ size, quality, background, outputFormat }: ImageRequest): ImageFacts {
  const facts = { size, quality, background, outputFormat };
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined));
}

function hostingUnavailable(): GatewayError {
  const message =
    "'response_format' cannot be 'url' here: this model answers with base64, and this gateway hosts no pictures. Its operator can set DATA_DIR and PUBLIC_BASE_URL.";
  return new GatewayError('unsupported_parameter', message, { param: 'response_format' });
}
