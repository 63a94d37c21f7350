import { GatewayError } from '../domain/gateway-error.ts';
import type { Generation, GenerationReport, Settlement } from '../domain/generation.ts';
import type { ImageEvent } from '../domain/image-event.ts';
import type { Attempt } from '../domain/image-provider.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { AttemptEnd, Recorder } from '../domain/recorder.ts';
import { deliverBase64 } from './deliver-base64.ts';
import { fitRequest, withDefaults } from './fit-request.ts';
import { afterInterruption } from './interruption.ts';
import type { LogicalModel, Target } from './model-catalog.ts';

type Start = {
  readonly model: LogicalModel;
  readonly target: Target;
  readonly request: ImageRequest;
  readonly recorder: Recorder;
  /** Called once, when the generation is settled. */
  readonly onSettled: () => void;
};

/** Starts a request against one target, with one deadline over everything. Throws when the target cannot serve it. */
export function startGeneration({ model, target, request, recorder, onSettled }: Start): Generation {
  const asked = withDefaults(request, model.defaults);
  const { upstream, adaptations } = fitRequest(asked, target.family);
  const attempt: Attempt = { sent: false };
  const begin = performance.now();
  const interrupt = new AbortController();
  const deadline = setTimeout(() => interrupt.abort(deadlineExceeded(model.timeoutMs)), model.timeoutMs);
  let upstreamMs: number | undefined;
  let isSettled = false;

  async function run(): Promise<AsyncIterable<ImageEvent>> {
    try {
      const events = await target.provider.generate(upstream, { signal: interrupt.signal, attempt, recorder });
      const wantsBase64 = asked.delivery === 'b64_json';
      return wantsBase64 ? await deliverBase64(events, target.download, interrupt.signal) : events;
    } catch (error) {
      throw interrupt.signal.aborted ? afterInterruption(interrupt.signal.reason, attempt) : error;
    } finally {
      upstreamMs = performance.now() - begin;
    }
  }

  function end(how: AttemptEnd): void {
    if (isSettled) return;
    isSettled = true;
    clearTimeout(deadline);
    recorder.attemptEnded(target.provider.id, how);
    // Whatever is still open (a body, a poll, a download) ends with the signal.
    interrupt.abort(new GatewayError('internal_error', 'The generation has ended.'));
    onSettled();
  }

  const answer = run();
  answer.catch((error: unknown) => end(endOfFailure(error, attempt)));

  return {
    report: liveReport({ model, target, attempt, adaptations }, () => upstreamMs),
    answer,
    cancel: (reason) => interrupt.abort(reason),
    settle: (how: Settlement) => end(how),
  };
}

type ReportFacts = { model: LogicalModel; target: Target; attempt: Attempt; adaptations: readonly string[] };

function liveReport(
  { model, target, attempt, adaptations }: ReportFacts,
  upstreamMs: () => number | undefined,
): GenerationReport {
  return {
    model: model.name,
    target: target.name,
    provider: target.provider.id,
    attempts: 1,
    adaptations,
    get sent() {
      return attempt.sent;
    },
    get upstreamMs() {
      return upstreamMs();
    },
    get upstreamRequestId() {
      return attempt.upstreamRequestId;
    },
  };
}

function endOfFailure(error: unknown, { sent }: Attempt): AttemptEnd {
  if (!(error instanceof GatewayError)) return sent ? 'unknown' : 'not-processed';
  if (error.kind === 'client_gone') return sent ? 'abandoned' : 'not-processed';
  return error.outcome ?? (sent ? 'unknown' : 'not-processed');
}

function deadlineExceeded(timeoutMs: number): GatewayError {
  return new GatewayError(
    'deadline_exceeded',
    `The request could not be sent to the image service within ${timeoutMs} ms. Nothing was billed.`,
    { outcome: 'not-processed' },
  );
}
