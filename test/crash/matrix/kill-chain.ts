import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Ledger } from '../../../simulator/ledger.ts';
import { dataDirOf, GatewayProcess, type ProcessOptions } from './gateway-process.ts';
import type { HoldingRelay } from './holding-relay.ts';
import { type Asking, codeOf, type Reply } from './keyed-client.ts';
import { bringTo, type Expected, expectedAfter, type KillPoint } from './kill-points.ts';
import type { Mode } from './modes.ts';
import { send } from './stage.ts';

/** What became of one job of a gateway that was killed. */
export type JobResult = {
  readonly mode: Mode;
  readonly point: KillPoint | 'random time';
  /** `undefined`: what must follow is not definite. */
  readonly expected: Expected | undefined;
  readonly status: number;
  readonly code: string | undefined;
  readonly billed: number;
  /** Its first client had the whole response before the kill. */
  readonly wasDelivered: boolean;
  /** The two later responses are equal, and so is the first one, as far as it came and its bytes are definite. */
  readonly isEqual: boolean;
  /** The last response says that it is a replay. */
  readonly isReplay: boolean;
  /** The first client's reply, and the two later ones, for messages. */
  readonly replies: readonly string[];
  /** What is left in `arriving`, `uploads` and `inputs`. */
  readonly left: readonly string[];
};

export type ChainParts = {
  readonly program: ProcessOptions;
  readonly relay: HoldingRelay;
  readonly ledger: Ledger;
  /** Between 0 and 1. */
  readonly random: () => number;
  /** So many gateways run at a time; 1 by default. Where one of several is killed, the others answer for it. */
  readonly gateways?: number | undefined;
};

type Job = { readonly mode: Mode; readonly key: string; readonly prompt: string };

/** Between the steps of a response, so that there is something between them. */
const maxPauseMs = 40;

let jobs = 0;

/** Gateways with the same stores, each of which is killed: the next one must answer for it, before it is killed itself. */
export class KillChain implements AsyncDisposable {
  readonly #parts: ChainParts;
  /** The next one to be killed comes first. */
  #gateways: readonly GatewayProcess[];
  /** How long some jobs take when nothing happens, on this machine, as busy as it is. */
  #wholeMs: number | undefined;
  kills = 0;

  private constructor(parts: ChainParts, gateways: readonly GatewayProcess[]) {
    this.#parts = parts;
    this.#gateways = gateways;
  }

  static async start(parts: ChainParts): Promise<KillChain> {
    const starts = Array.from({ length: parts.gateways ?? 1 }, () => GatewayProcess.start(parts.program));
    return new KillChain(parts, await Promise.all(starts));
  }

  get #gateway(): GatewayProcess {
    return this.#gateways[0] as GatewayProcess;
  }

  /** Kills the gateway at an exact point of a job; at a random time of four where the mode has no such point. */
  async killAt(mode: Mode, point: KillPoint): Promise<JobResult[]> {
    const expected = expectedAfter(mode, point);
    if (expected === undefined) return await this.killAnyTime([mode, mode, mode, mode]);
    const { relay } = this.#parts;
    const job = newJob(mode);
    const asking = await bringTo(point, { gateway: this.#gateway, relay, mode }, () => this.#send(job));
    await this.#restart();
    return await this.#leftAfter([this.#resultOf(job, await asking.reply, { point, expected })]);
  }

  /** Kills the gateway at a random time of some jobs. */
  async killAnyTime(modes: readonly Mode[]): Promise<JobResult[]> {
    const { relay, random } = this.#parts;
    relay.pauseMs = () => maxPauseMs * random();
    const begin = () =>
      modes.map((mode) => {
        const job = newJob(mode);
        return { job, asking: this.#send(job) };
      });
    if (this.#wholeMs === undefined) {
      const start = performance.now();
      await Promise.all(begin().map(({ asking }) => asking.reply));
      this.#wholeMs = performance.now() - start;
    }
    const begun = begin();
    // More often in the beginning, where more happens.
    await wait(this.#wholeMs * random() ** 2);
    await this.#restart();
    relay.pauseMs = () => 0;
    const how = { point: 'random time', expected: undefined } as const;
    return await this.#leftAfter(begun.map(async ({ job, asking }) => this.#resultOf(job, await asking.reply, how)));
  }

  /**
   * What is left on the disk when all jobs have ended is left by the gateway that was killed. Where others use the directory, they
   * remove that later.
   */
  async #leftAfter(results: readonly Promise<Omit<JobResult, 'left'>>[]): Promise<JobResult[]> {
    const ended = await Promise.all(results);
    const left = this.#gateways.length > 1 ? [] : await leftIn(dataDirOf(this.#parts.program.directory));
    return ended.map((result) => ({ ...result, left }));
  }

  async #restart(): Promise<void> {
    const { relay, program } = this.#parts;
    const [killed, ...others] = this.#gateways as [GatewayProcess, ...GatewayProcess[]];
    await killed.kill();
    this.kills += 1;
    relay.release();
    this.#gateways = others;
    const next = await GatewayProcess.start(program);
    this.#gateways = [...others, next];
  }

  #send({ mode, key, prompt }: Job): Asking {
    return send(this.#gateway, mode, prompt, key);
  }

  async #resultOf(
    job: Job,
    first: Reply,
    how: Pick<JobResult, 'point' | 'expected'>,
  ): Promise<Omit<JobResult, 'left'>> {
    const again = await this.#retry(job);
    const last = await this.#send(job).reply;
    const { ledger } = this.#parts;
    const { mode, prompt } = job;
    const wasDelivered = first.status === 200 && first.isWhole;
    // Of what was not delivered, replays repeat the beginning once the end is recorded; but not the partial images of a stream.
    const isDefinite = how.point === 'end recorded, response not ended' && mode !== 'stream';
    const begins = isDefinite ? last.body.subarray(0, first.body.length).equals(first.body) : true;
    return {
      ...how,
      mode,
      status: last.status,
      code: codeOf(last),
      billed: ledger.generations.filter((billed) => billed.prompt === prompt).length,
      wasDelivered,
      isEqual:
        isSame(withoutPartialImages(again), last) &&
        begins &&
        (!wasDelivered || isSame(withoutPartialImages(first), last)),
      isReplay: last.headers['idempotent-replayed'] === 'true',
      replies: [first, again, last].map(describe),
    };
  }

  /**
   * As a client does after a broken connection. Where others answer for a gateway that was killed, it may join a job there of which
   * nothing was sent: that has ended then, and is begun anew by the next retry.
   */
  async #retry(job: Job): Promise<Reply> {
    const reply = await this.#send(job).reply;
    return this.#gateways.length > 1 && reply.status === 503 ? this.#retry(job) : reply;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const gateway of this.#gateways) await gateway[Symbol.asyncDispose]();
  }
}

function describe(reply: Reply): string {
  const { status, body, isWhole } = reply;
  return `${status} ${codeOf(reply) ?? ''} ${body.length} bytes${isWhole ? '' : ', broken off'}`;
}

function newJob(mode: Mode): Job {
  jobs += 1;
  return { mode, key: `00000000-0000-4000-8000-${String(jobs).padStart(12, '0')}`, prompt: `a cat, the ${jobs}th` };
}

function isSame(one: Reply, other: Reply): boolean {
  return one.status === other.status && one.isWhole && other.isWhole && one.body.equals(other.body);
}

/** Replays leave them out. */
function withoutPartialImages(reply: Reply): Reply {
  const text = reply.body.toString('latin1');
  return { ...reply, body: Buffer.from(text.replace(/event: \w+\.partial_image\n.*\n\n/g, ''), 'latin1') };
}

/** Inputs are removed a moment after their job has ended. */
async function leftIn(dataDir: string): Promise<string[]> {
  for (let tries = 50; ; tries -= 1) {
    const directories = ['arriving', 'uploads', 'inputs'].map((name) => readdir(join(dataDir, name)).catch(() => []));
    const left = (await Promise.all(directories)).flat();
    if (left.length === 0 || tries === 0) return left;
    await wait(100);
  }
}
