import { expect } from 'vitest';
import type { GenerationReader } from '../../src/domain/generation-reader.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { JobStore } from '../../src/domain/job-store.ts';
import type { Caller } from '../../src/generations/caller.ts';
import { MemoryImageStore } from '../helpers/memory-image-store.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { accepting, type FakeGateway, type FakeTarget, fakeGateway, openJobs, silent } from './fake-targets.ts';

export const patience = { timeout: 30_000 };
export const keyed = { idempotencyKey: 'one' };
export const hangs = () => new Promise<never>(() => {});

type Facts = NonNullable<Parameters<typeof fakeGateway>[1]>;

/** Replaces some of a store's steps. */
export function withSteps(store: JobStore, steps: Partial<JobStore>): JobStore {
  return new Proxy(store, {
    get(target, name) {
      const own = steps[name as keyof JobStore];
      if (own !== undefined) return own;
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

type Beginning = {
  readonly targets: readonly FakeTarget[];
  readonly steps?: (store: JobStore) => Partial<JobStore>;
  readonly request?: Partial<ImageRequest>;
  readonly caller?: Partial<Caller>;
  readonly images?: MemoryImageStore;
  readonly facts?: Facts;
};

/** What a process leaves on the disk. */
export type Left = { readonly directory: string; readonly images: MemoryImageStore };

/** A process that works on a request in a directory of its own, until `crash` ends what it can write there. */
export async function beginIn({ targets, steps, request, caller = keyed, facts, ...parts }: Beginning) {
  const { images = new MemoryImageStore() } = parts;
  const directory = await temporaryDirectory();
  const jobs = await openJobs(directory);
  const store = steps ? withSteps(jobs, steps(jobs)) : jobs;
  const fake = await fakeGateway(targets, { images, store, ...facts });
  const reader = await fake.start(request, caller);
  reader.events.catch(() => {});
  /** Once it has come so far. */
  const crashOnce = async (isThere: (fake: FakeGateway) => unknown): Promise<Left> => {
    await expect.poll(() => isThere(fake), patience).toBeTruthy();
    await jobs.close();
    // What is not renamed by then never will be.
    images.disk.beforeCommit = hangs;
    return { directory, images: stored(images) };
  };
  return { fake, reader, crashOnce };
}

/** What a process leaves that dies when its call was accepted under `/operations/1`. */
export async function leaveAccepted(caller: Partial<Caller> = keyed): Promise<Left> {
  let isNoted = false;
  const { crashOnce } = await beginIn({
    targets: [{ answers: [accepting('/operations/1', silent)] }],
    caller,
    steps: (store) => ({
      async note(...values) {
        await store.note(...values);
        isNoted = true;
      },
    }),
  });
  return crashOnce(() => isNoted);
}

/** The images that another process finds. */
function stored({ images }: MemoryImageStore): MemoryImageStore {
  const found = new MemoryImageStore();
  for (const [id, image] of images) found.images.set(id, image);
  return found;
}

/** Another process in the same directory, which has recovered what it found. */
export async function restartIn(left: Left, targets: readonly FakeTarget[], facts: Facts = {}): Promise<FakeGateway> {
  const { directory, images } = left;
  const store = facts.store ?? (await openJobs(directory));
  const fake = await fakeGateway(targets, { images, ...facts, store });
  await fake.recover();
  return fake;
}

/** The images of a response, decoded. */
export async function imagesOf(reader: GenerationReader): Promise<string[]> {
  const texts: string[] = [];
  for await (const event of await reader.events) {
    if (event.type === 'image') texts.push('');
    if (event.type === 'bytes') texts.push(`${texts.pop()}${event.chunk}`);
  }
  reader.settle('delivered');
  return texts.map((text) => String(Buffer.from(text, 'base64')));
}
