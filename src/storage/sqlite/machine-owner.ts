import { randomBytes } from 'node:crypto';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { prepareDirectory } from '../data-directory.ts';
import { type DirectorySocket, isListening, listenInDirectory } from '../directory-socket.ts';
import type { JobOwner, LeaseTimes } from '../sql/job-owner.ts';
import { JobClock, monotonicNow, readBootId } from './job-clock.ts';
import type { OperationQueue } from './operation-queue.ts';

const suffix = '.sock';

/**
 * This process among those that share a directory. It renews a lease, and listens on a socket, so that others notice at once
 * when it dies; one that is stopped still listens, and for it the lease decides.
 */
export class MachineOwner implements JobOwner {
  id = '';
  readonly #queue: OperationQueue;
  readonly #directory: string | undefined;
  readonly #lease: LeaseTimes;
  #clock: JobClock;
  #socket: DirectorySocket | undefined;
  #registering: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #hasLeft = false;

  /** @param directory where the sockets are; none in memory */
  constructor(queue: OperationQueue, directory: string | undefined, lease: LeaseTimes, wall: number) {
    this.#queue = queue;
    this.#directory = directory && join(directory, 'owners');
    this.#lease = lease;
    this.#clock = new JobClock(undefined, readBootId(), wall);
  }

  now(): number {
    return this.#clock.now();
  }

  /** Begins to live. `onRenewal` is called with each renewal. */
  async start(wall: number, onRenewal: () => void): Promise<void> {
    if (this.#directory !== undefined) await prepareDirectory(this.#directory);
    const { boot } = this.#clock.read();
    this.#clock = new JobClock(await this.#register(), boot, wall);
    await this.#removeAbandoned();
    this.#timer = setInterval(() => {
      onRenewal();
      // When the store is out of order, whoever uses it is told; the next renewal may succeed.
      this.renew().catch(() => {});
    }, this.#lease.renewEveryMs).unref();
  }

  async renew(): Promise<void> {
    const { id } = this;
    const isRegistered = await this.#queue.run('renew', id, this.#validUntil(), this.#clock.read());
    if (!isRegistered && id === this.id) await this.registerAgain(id);
  }

  async registerAgain(id: string): Promise<void> {
    if (id !== this.id || this.#hasLeft) return;
    this.#registering ??= this.#replace().finally(() => {
      this.#registering = undefined;
    });
    await this.#registering;
  }

  async buryDead(): Promise<void> {
    const dead = await this.#deadAmong(await this.#queue.run('otherOwners', this.id));
    await this.#queue.run('bury', this.id, dead, monotonicNow(), this.now());
    await this.#forget(dead);
  }

  async isLiving(id: string): Promise<boolean> {
    await this.buryDead();
    return (await this.#queue.run('otherOwners', this.id)).some(([other]) => other === id);
  }

  async isSole(): Promise<boolean> {
    const others = await this.#queue.run('otherOwners', this.id);
    return (await this.#deadAmong(others)).length === others.length;
  }

  async #deadAmong(owners: readonly (readonly [id: string, listens: number])[]): Promise<string[]> {
    const dead = owners.map(async ([id, listens]) => (listens === 1 && (await this.#isDead(id)) ? [id] : []));
    return (await Promise.all(dead)).flat();
  }

  async #forget(dead: readonly string[]): Promise<void> {
    for (const id of dead) await unlink(this.#socketOf(id)).catch(() => {});
  }

  async leave(): Promise<void> {
    this.#hasLeft = true;
    clearInterval(this.#timer);
    await this.#registering?.catch(() => {});
    // Without the row, others do not look for the socket.
    await this.#queue.run('leave', this.id).catch(() => {});
    await this.#socket?.close();
  }

  async #replace(): Promise<void> {
    const former = this.#socket;
    await this.#register();
    await former?.close();
  }

  async #register() {
    const id = randomBytes(18).toString('base64url');
    const socket = this.#directory === undefined ? undefined : await listenInDirectory(this.#socketOf(id));
    try {
      const stored = await this.#queue.run(
        'register',
        id,
        this.#validUntil(),
        socket !== undefined,
        this.#clock.read(),
      );
      this.id = id;
      this.#socket = socket;
      return stored;
    } catch (error) {
      await socket?.close();
      throw error;
    }
  }

  /** Removes what processes have left that died when nobody looked. */
  async #removeAbandoned(): Promise<void> {
    if (this.#directory === undefined) return;
    const files = await readdir(this.#directory);
    const ids = files.filter((name) => name.endsWith(suffix)).map((name) => name.slice(0, -suffix.length));
    const known = new Set((await this.#queue.run('otherOwners', this.id)).map(([id]) => id));
    for (const id of ids) if (!known.has(id) && (await this.#isDead(id))) await this.#forget([id]);
  }

  async #isDead(id: string): Promise<boolean> {
    return (await isListening(this.#socketOf(id))) === false;
  }

  #validUntil(): number {
    return monotonicNow() + this.#lease.validMs;
  }

  #socketOf(id: string): string {
    return join(this.#directory ?? '', `${id}${suffix}`);
  }
}
