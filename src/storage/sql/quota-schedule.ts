/** What was sent, or may be sent in this moment. */
export type LoggedGrant = {
  /** Empty for calls of others that use the same quota. */
  readonly consumer: string;
  readonly requests: number;
  readonly images: number;
  readonly at: number;
};

/** A call that waits. */
export type QuotaWait = {
  readonly id: string;
  readonly consumer: string;
  readonly images: number;
  /** When it came. */
  readonly queuedAt: number;
};

/** What a pool allows in `windowMs`. */
export type WindowLimits = {
  /** `undefined`: any number. */
  readonly requests: number | undefined;
  readonly images: number | undefined;
  readonly windowMs: number;
  /** How late a call may arrive. */
  readonly marginMs: number;
};

type Schedule = {
  /** Those of the last window. */
  readonly grants: readonly LoggedGrant[];
  readonly waits: readonly QuotaWait[];
  readonly limits: WindowLimits;
  /** Nothing is sent before. */
  readonly from: number;
};

/** When a call may be sent. */
export type ScheduledTurn = { readonly wait: QuotaWait; readonly at: number };

/**
 * Azure evaluates requests per minute in windows of 1 and of 10 seconds, too, and refuses what comes faster than evenly:
 * https://learn.microsoft.com/azure/ai-foundry/openai/how-to/quota#understanding-rate-limits
 * So a share of the minute allows the same share of its requests, but one at least.
 */
const shares = [1 / 60, 1 / 6, 1];

/** So many calls in so many milliseconds. */
type Rule = { readonly count: number; readonly ms: number };

/** Where a rule allows more than the others do on average, it makes room for calls that arrive late. */
function rulesOf({ requests, windowMs, marginMs }: WindowLimits): readonly Rule[] {
  if (requests === undefined) return [];
  return shares.map((share) => {
    const count = Math.ceil(requests * share);
    const spareMs = (count * windowMs) / requests - share * windowMs;
    return { count, ms: Math.ceil(share * windowMs + Math.min(marginMs, spareMs / 2)) };
  });
}

/**
 * When each of the waiting calls may be sent, in the order in which they will be: next is always one of the consumer that had the
 * fewest in the window (of several, the one who waits longest), and of each consumer the one that came first. Nobody overtakes a
 * call that needs more images than are left.
 */
export function scheduleTurns({ grants, waits, limits, from }: Schedule): readonly ScheduledTurn[] {
  const log = new GrantLog(grants, limits);
  const queues = queuesOf(waits);
  const turns: ScheduledTurn[] = [];
  let now = from;
  while (queues.size > 0) {
    now = log.earliest(now);
    const queue = nextQueue(queues, log);
    const wait = queue.shift() as QuotaWait;
    if (queue.length === 0) queues.delete(wait.consumer);
    now = log.earliestFor(wait.images, now);
    turns.push({ wait, at: now });
    log.add({ consumer: wait.consumer, requests: 1, images: wait.images, at: now });
  }
  return turns;
}

/** By consumer, who came first. */
function queuesOf(waits: readonly QuotaWait[]): Map<string, QuotaWait[]> {
  const queues = new Map<string, QuotaWait[]>();
  for (const wait of [...waits].sort(byArrival)) {
    const queue = queues.get(wait.consumer);
    if (queue) queue.push(wait);
    else queues.set(wait.consumer, [wait]);
  }
  return queues;
}

function nextQueue(queues: ReadonlyMap<string, QuotaWait[]>, log: GrantLog): QuotaWait[] {
  return [...queues.values()].reduce((best, queue) => {
    const [one, other] = [queue[0] as QuotaWait, best[0] as QuotaWait];
    const more = log.countOf(one.consumer) - log.countOf(other.consumer);
    return more < 0 || (more === 0 && byArrival(one, other) < 0) ? queue : best;
  });
}

function byArrival(one: QuotaWait, other: QuotaWait): number {
  return one.queuedAt - other.queuedAt || (one.id < other.id ? -1 : 1);
}

/** The grants of a window that moves on. */
class GrantLog {
  readonly #limits: WindowLimits;
  readonly #rules: readonly Rule[];
  /** One for each request, oldest first; the images of a grant are those of its first request. */
  readonly #requests: { readonly consumer: string; readonly images: number; readonly at: number }[] = [];
  readonly #counts = new Map<string, number>();
  #images = 0;
  /** The oldest request of the window. */
  #first = 0;

  constructor(grants: readonly LoggedGrant[], limits: WindowLimits) {
    this.#limits = limits;
    this.#rules = rulesOf(limits);
    for (const grant of [...grants].sort((one, other) => one.at - other.at)) this.add(grant);
  }

  add({ consumer, requests, images, at }: LoggedGrant): void {
    for (let index = 0; index < requests; index += 1) {
      this.#requests.push({ consumer, images: index === 0 ? images : 0, at });
    }
    this.#images += images;
    this.#counts.set(consumer, this.countOf(consumer) + requests);
  }

  /** How many requests of the consumer the window holds. */
  countOf(consumer: string): number {
    return this.#counts.get(consumer) ?? 0;
  }

  /** From `now` on, when a request may be sent; the window moves there. */
  earliest(now: number): number {
    const { length } = this.#requests;
    const at = Math.max(now, ...this.#rules.map(({ count, ms }) => (this.#requests[length - count]?.at ?? -ms) + ms));
    this.#moveTo(at);
    return at;
  }

  /** The same for one of so many images. One that needs more than the pool has gets all of it. */
  earliestFor(images: number, now: number): number {
    const { images: max, windowMs } = this.#limits;
    if (max === undefined) return now;
    let at = now;
    while (this.#first < this.#requests.length && this.#images + Math.min(images, max) > max) {
      at = Math.max(at, (this.#requests[this.#first]?.at ?? 0) + windowMs);
      this.#moveTo(at);
    }
    return at;
  }

  #moveTo(now: number): void {
    for (;;) {
      const oldest = this.#requests[this.#first];
      if (oldest === undefined || oldest.at > now - this.#limits.windowMs) return;
      this.#first += 1;
      this.#images -= oldest.images;
      this.#counts.set(oldest.consumer, this.countOf(oldest.consumer) - 1);
    }
  }
}
