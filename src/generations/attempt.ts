import type { Bill, Tokens } from '../domain/bill.ts';
import { type Cost, costOfImages } from '../domain/cost.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { ImageEvent, ImageFacts } from '../domain/image-event.ts';
import type { Attempt } from '../domain/image-provider.ts';
import { type Delivery, type ImageRequest, parameterNames } from '../domain/image-request.ts';
import type { AttemptEnd, Recorder } from '../domain/recorder.ts';
import { newTraceparent, type Trace } from '../domain/trace.ts';
import type { AdaptationName } from '../parameters/adaptations.ts';
import type { Target } from '../targets/model-catalog.ts';
import { isChatBilled, isContentRefusal } from '../targets/outcome.ts';
import { costOf, flatPrice } from './cost-of.ts';
import { countMade, type Made } from './count-made.ts';
import { deliverBase64 } from './deliver-base64.ts';
import { deliverUrl, type Hosting } from './deliver-url.ts';
import { dropPreviews } from './drop-previews.ts';
import { lookAhead } from './look-ahead.ts';
import { readTokens } from './read-tokens.ts';

/** What the images of all attempts of a generation become. */
export type Delivering = {
  /** What the caller wants to get; `undefined`: whatever comes. */
  readonly delivery: Delivery | undefined;
  /** Whether the caller wants to see previews. */
  readonly wantsPreviews: boolean;
  readonly hosting: Hosting | undefined;
  readonly signal: AbortSignal;
  /** When free steps after a paid call are tried for the last time, as of `performance.now()`. */
  readonly retryUntil: number;
  readonly recorder: Recorder;
  /** The trace that the calls are a part of. */
  readonly trace?: Trace | undefined;
  /** The request as its caller has sent it, without the operator's defaults. */
  readonly asked: ImageRequest;
};

/** One paid call to one target, from its start until it has failed, or until the generation is settled. */
export class PaidAttempt {
  readonly target: Target;
  readonly attempt: Attempt;
  /** How long it waited for a free slot, in milliseconds. */
  readonly queueMs: number;
  readonly #request: ImageRequest;
  readonly #delivering: Delivering;
  readonly #begin = performance.now();
  #knownAt: number | undefined;
  #failure: AttemptEnd | undefined;
  #error: GatewayError | undefined;
  #adaptation: AdaptationName | undefined;
  #made: () => Made | undefined = () => undefined;

  /** @param request what the upstream is asked for */
  constructor(target: Target, request: ImageRequest, delivering: Delivering, queueMs: number) {
    const { trace } = delivering;
    this.target = target;
    this.attempt = { sent: false, traceparent: trace && newTraceparent(trace) };
    this.queueMs = queueMs;
    this.#request = request;
    this.#delivering = delivering;
  }

  /** Settles when the outcome is known, and the images come in the delivery that was asked for. */
  async start(): Promise<AsyncIterable<ImageEvent>> {
    const { signal } = this.#delivering;
    try {
      return await this.#run();
    } catch (error) {
      this.#failure = endOfFailure(error, this.attempt);
      this.#error = error instanceof GatewayError ? error : undefined;
      throw signal.aborted ? signal.reason : namingOwnParameters(error, this.#delivering.asked);
    } finally {
      this.#knownAt = performance.now();
    }
  }

  /** True while nobody knows whether it is billed: it runs, or its outcome is unknown. */
  get isOpen(): boolean {
    return this.attempt.sent && (this.#failure === undefined || this.#failure === 'unknown');
  }

  /** What it has failed with. */
  get error(): GatewayError | undefined {
    return this.#error;
  }

  /** What the upstream was asked for. */
  get request(): ImageRequest {
    return this.#request;
  }

  /** What the upstream has made, once its response was read to the end. */
  get made(): Made | undefined {
    return this.#made();
  }

  /** The upstream has made fewer images than it was asked for, as far as its response has been read. */
  get isShort(): boolean {
    return (this.made?.images ?? this.#request.count) < this.#request.count;
  }

  /** What was done, or came, otherwise than planned. */
  get adaptations(): readonly AdaptationName[] {
    return [...(this.#adaptation ? [this.#adaptation] : []), ...(this.isShort ? (['n=fewer'] as const) : [])];
  }

  /** Until its outcome was known, in milliseconds. */
  get upstreamMs(): number {
    return (this.#knownAt ?? performance.now()) - this.#begin;
  }

  /** How the call ended, given how the generation did. */
  endOf(generation: AttemptEnd): AttemptEnd {
    return this.#failure ?? (this.attempt.sent ? generation : 'not-processed');
  }

  /** What the upstream has counted. */
  get tokens(): Tokens | undefined {
    return readTokens(this.made?.usage, { isEdit: this.#request.edit !== undefined });
  }

  /** What the call has cost, as far as its answer has been read. */
  get bill(): Bill {
    const { made } = this;
    const { sent } = this.attempt;
    const { price } = this.target;
    const currency = price?.currency;
    if (made === undefined) return { cost: 0n, currency, mayBeMore: sent && !this.#madeNothing };
    const billed = { images: made.images, facts: this.#factsOf(made.facts), tokens: this.tokens };
    return { cost: price && costOf(price, billed), currency, mayBeMore: false };
  }

  /** What it costs, where the rest of its response cannot change that. */
  get certainCost(): Cost | undefined {
    const { price } = this.target;
    const { cost, mayBeMore } = this.bill;
    if (!mayBeMore) return cost;
    if (this.#failure !== undefined || price === undefined || this.#request.count > 1) return undefined;
    const each = flatPrice(price);
    return each === undefined ? undefined : costOfImages(each, 1);
  }

  /** A refusal with a status of success may be one of an image that was made, and is billed. */
  get #madeNothing(): boolean {
    const { status = 0 } = this.attempt;
    if (this.#error && (isChatBilled(this.#error.kind) || isContentRefusal(this.#error.kind))) return false;
    if (this.#failure === 'refused') return status >= 400;
    return this.#failure === 'not-processed' || this.#failure === 'failed';
  }

  /** Size and quality as they were told, else as they were asked for, else what the upstream takes by itself. */
  #factsOf(told: ImageFacts = {}): ImageFacts {
    const { family } = this.target;
    const known = family.agentDecides ? [told] : [told, this.#request, family.defaults];
    return { ...definite('size', known), ...definite('quality', known) };
  }

  async #run(): Promise<AsyncIterable<ImageEvent>> {
    const { signal, retryUntil, recorder } = this.#delivering;
    const call = { signal, retryUntil, attempt: this.attempt, recorder, dispatch: resolved, note: resolved };
    const { events: answer, made, readLinks } = countMade(await this.target.provider.generate(this.#request, call));
    this.#made = made;
    await readLinks();
    try {
      return await this.#deliver(answer);
    } catch (error) {
      throw afterCommitment(error);
    }
  }

  async #deliver(answer: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
    const { wantsPreviews, asked } = this.#delivering;
    const { stream, count } = this.#request;
    const events = await this.#convert(stream && !wantsPreviews ? await dropPreviews(answer) : answer);
    // While the head of the response can still say that images are missing.
    return !asked.stream && count > 1 ? lookAhead(events) : events;
  }

  async #convert(events: AsyncIterable<ImageEvent>): Promise<AsyncIterable<ImageEvent>> {
    const { delivery, hosting, signal, retryUntil, asked } = this.#delivering;
    if ((delivery ?? this.target.family.defaults.delivery) === 'b64_json') {
      return deliverBase64(events, (url) => {
        // That a stream carries base64 goes without saying.
        if (!asked.stream) this.#adaptation = 'delivery=b64_json';
        return this.target.download(url, signal, retryUntil);
      });
    }
    if (delivery === 'url' && hosting) {
      const host = async (bytes: AsyncIterable<Buffer>) => {
        this.#adaptation = 'delivery=url';
        return hosting.urlOf(await hosting.put(bytes, { signal, until: retryUntil }));
      };
      return asStream(await deliverUrl(events, host));
    }
    return events;
  }
}

/** A parameter that the caller has not sent, but its operator or the gateway, must not be named to it. */
function namingOwnParameters(error: unknown, asked: ImageRequest): unknown {
  if (!(error instanceof GatewayError) || error.param === undefined) return error;
  const [name = ''] = /^\w+/.exec(error.param) ?? [];
  if (parameterNames(asked).has(name)) return error;
  return error.with({ param: undefined }, error.message.replace(`'${error.param}'`, 'one of the parameters'));
}

type Choices = { readonly size?: string | undefined; readonly quality?: string | undefined };

/** The first value that is one: `auto` says that somebody else chooses. */
function definite(name: keyof Choices, choices: readonly Choices[]): ImageFacts {
  const value = choices.map((choice) => choice[name]).find((value) => value !== undefined && value !== 'auto');
  return value === undefined ? {} : { [name]: value };
}

/** Nothing is kept across a restart yet. */
async function resolved(): Promise<void> {}

async function* asStream(events: readonly ImageEvent[]): AsyncGenerator<ImageEvent> {
  yield* events;
}

/** The upstream had begun to answer: whatever it says later, an image may have been made. */
function afterCommitment(error: unknown): unknown {
  if (!(error instanceof GatewayError) || (error.outcome !== 'failed' && error.outcome !== 'not-processed'))
    return error;
  return new GatewayError(
    'upstream_outcome_unknown',
    'The image service failed after it had begun to answer. The image may be billed; it was not asked for again.',
    { outcome: 'unknown', cause: error, upstream: error.upstream, hint: error.hint },
  );
}

function endOfFailure(error: unknown, { sent }: Attempt): AttemptEnd {
  if (!sent) return 'not-processed';
  if (!(error instanceof GatewayError)) return 'unknown';
  return error.kind === 'client_gone' ? 'abandoned' : (error.outcome ?? 'unknown');
}
