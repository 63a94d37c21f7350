import { setTimeout as wait } from 'node:timers/promises';
import type { Stores } from '../../../src/app.ts';
import { openStores } from '../../../src/cli/open-stores.ts';
import { GatewayError } from '../../../src/domain/gateway-error.ts';
import type { ArrivingImage, ImageStore } from '../../../src/domain/image-store.ts';
import type { JobStore } from '../../../src/domain/job-store.ts';
import { type ImageDirectory, openImageDirectory } from '../../../src/storage/image-directory.ts';
import type { StoreOptions } from './phases.ts';
import type { StopPoints } from './stop-points.ts';

/** Opens the stores as the gateway does, with steps that a test can stop, delay, or let fail. */
export function openStoppable(points: StopPoints, options: StoreOptions): typeof openStores {
  const { lease, quotas, maxPages, freeBytes, clockOffsetMs = 0 } = options;
  return async (environment, limits) => {
    const stores = await openStores(environment, limits, {
      jobs: {
        now: () => Date.now() + clockOffsetMs,
        ...(lease && { lease }),
        ...(quotas && { quotas }),
        ...(maxPages && { maxPages }),
      },
      images: {
        openFiles: async (directory) => stoppableDirectory(await openImageDirectory(directory), points),
        ...(freeBytes !== undefined && { freeBytes: async () => freeBytes }),
      },
    });
    return {
      ...stores,
      jobs: stoppableJobs(stores.jobs, points, options),
      images: stoppableImages(stores.images, points),
    };
  };
}

function stoppableJobs(jobs: Stores['jobs'], points: StopPoints, options: StoreOptions): Stores['jobs'] {
  const { delayMs = 0 } = options;
  let failuresLeft = options.failedFinishes ?? 0;
  const delay = () => (delayMs > 0 ? wait(delayMs) : undefined);
  return replacing(jobs, {
    async claim(claim) {
      await delay();
      const claimed = await jobs.claim(claim);
      if (claimed.kind === 'new') await points.pass('claimed');
      return claimed;
    },
    async dispatch(...step: Parameters<JobStore['dispatch']>) {
      await points.pass('dispatching');
      await delay();
      await jobs.dispatch(...step);
      await points.pass('dispatched');
    },
    async note(...step: Parameters<JobStore['note']>) {
      await points.pass('handle received');
      await delay();
      await jobs.note(...step);
      await points.pass('handle noted');
    },
    async orphan(lease) {
      await jobs.orphan(lease);
      await points.pass('orphaned');
    },
    async finish(lease, end, isRefused) {
      if (end.name === 'done') await points.pass('renamed');
      await delay();
      if (failuresLeft > 0) {
        failuresLeft -= 1;
        throw new GatewayError('store_unavailable', 'Replaced by a test.', { outcome: 'not-processed' });
      }
      await jobs.finish(lease, end, isRefused);
      if (end.name === 'done') await points.pass('finished');
    },
  });
}

function stoppableImages(images: ImageStore, points: StopPoints): ImageStore {
  return replacing(images, {
    receive(id, options) {
      const arriving: ArrivingImage = images.receive(id, options);
      return replacing(arriving, {
        async commit(retrying) {
          await points.pass('image received');
          return arriving.commit(retrying);
        },
      });
    },
  });
}

function stoppableDirectory(files: ImageDirectory, points: StopPoints): ImageDirectory {
  return replacing(files, {
    async commit(...step) {
      await points.pass('image written');
      await files.commit(...step);
    },
  });
}

/** The same object with some of its methods replaced. */
function replacing<T extends object>(target: T, replaced: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      if (Object.hasOwn(replaced, name)) return Reflect.get(replaced, name);
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
