import { existsSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import type { ImageStore } from '../../src/domain/image-store.ts';
import type { Retrying } from '../../src/domain/retrying.ts';
import { filesIn, newId, openStore, png, put, receive } from './store-directory.ts';

// The pauses between tries, a hundredth as long.
vi.mock('../../src/concurrency/pause.ts', async (importActual) => {
  const { pause } = await importActual<typeof import('../../src/concurrency/pause.ts')>();
  return { pause: (ms: number, signal: AbortSignal) => pause(ms / 100, signal) };
});

type Disk = typeof import('node:fs/promises');

// The real file system, with one fault in it.
const fault = vi.hoisted((): { open?: Disk['open']; rename?: Disk['rename'] } => ({}));
vi.mock('node:fs/promises', async (importActual) => {
  const real = await importActual<Disk>();
  const open: Disk['open'] = (...call) => (fault.open ?? real.open)(...call);
  const rename: Disk['rename'] = (...call) => (fault.rename ?? real.rename)(...call);
  return { ...real, open, rename };
});
afterEach(() => {
  delete fault.open;
  delete fault.rename;
});
const real = await vi.importActual<Disk>('node:fs/promises');

const diskError = (code: string) => Object.assign(new Error(`${code}: as injected`), { code });
const storageFailed = { kind: 'storage_failed', outcome: 'unknown' };
const unusable = { kind: 'upstream_invalid_response', outcome: 'unknown' };

/** Lets `spoil` change the image's file, or the directory when it is synced after the rename. */
const spoilOpened = (which: 'file' | 'directory', spoil: (opened: FileHandle) => void) => {
  fault.open = async (path, flags, mode) => {
    const opened = await real.open(path, flags, mode);
    if ((flags === 'wx+') === (which === 'file')) spoil(opened);
    return opened;
  };
};

const rejectOpen = (code: string) => () => {
  fault.open = (path, flags, mode) =>
    flags === 'wx+' ? Promise.reject(diskError(code)) : real.open(path, flags, mode);
};

const faults: Record<string, () => void> = {
  'the disk is full before the first byte': rejectOpen('ENOSPC'),
  'the disk is read-only': rejectOpen('EROFS'),
  'the directory may not be written': rejectOpen('EACCES'),
  'no file can be opened any more': rejectOpen('EMFILE'),
  'the disk is full half-way': () =>
    spoilOpened('file', (file) => {
      const write = file.write.bind(file) as (...call: unknown[]) => Promise<never>;
      let calls = 0;
      file.write = (async (...call: unknown[]) => {
        calls += 1;
        if (calls === 2) throw diskError('ENOSPC');
        return write(...call);
      }) as typeof file.write;
    }),
  'the bytes cannot be synced': () =>
    spoilOpened('file', (file) => {
      file.datasync = async () => Promise.reject(diskError('EIO'));
    }),
  'the file cannot be renamed': () => {
    fault.rename = () => Promise.reject(diskError('EIO'));
  },
  'the directory cannot be synced': () =>
    spoilOpened('directory', (directory) => {
      directory.sync = async () => Promise.reject(diskError('EIO'));
    }),
};

const storing = (store: ImageStore, retrying?: Retrying) => async () => {
  const arriving = receive(store);
  try {
    for (const part of [png(), Buffer.alloc(1_000), Buffer.alloc(1_000)]) await arriving.write(part, retrying);
    return await arriving.commit(retrying);
  } catch (error) {
    await arriving.discard();
    throw error;
  }
};

test.for(Object.keys(faults))('when %s, it fails as storage, nothing is left, and the next one works', async (name) => {
  const store = await openStore();
  faults[name]?.();
  await expect(storing(store)()).rejects.toMatchObject({ ...storageFailed, cause: { code: expect.any(String) } });
  expect(await filesIn(store.directory)).toEqual([]);
  expect(store.usage.bytes).toBe(0);

  delete fault.open;
  delete fault.rename;
  expect(await store.open((await storing(store)()).id)).toBeDefined();
});

const commitFaults = ['the bytes cannot be synced', 'the file cannot be renamed', 'the directory cannot be synced'];

test.for(commitFaults)(
  'when %s, a failed commit leaves no file, and what was written can still be read',
  async (name) => {
    const store = await openStore();
    faults[name]?.();
    const id = newId();
    const arriving = receive(store, id);
    await arriving.write(png());
    await expect(arriving.commit()).rejects.toMatchObject(storageFailed);
    await expect(arriving.commit()).rejects.toMatchObject(storageFailed);
    expect(await filesIn(store.directory)).toEqual([]);
    expect(await store.open(id)).toBeUndefined();
    expect(await arriving.read(0, 100)).toEqual(png());
    await expect(arriving.write(png())).rejects.toMatchObject(storageFailed);
  },
);

test('what could not be written is missing: the image cannot be committed', async () => {
  const store = await openStore();
  faults['the disk is full half-way']?.();
  const arriving = receive(store);
  await arriving.write(png());
  await expect(arriving.write(Buffer.alloc(50))).rejects.toMatchObject(storageFailed);
  expect(arriving.written).toBe(100);
  await expect(arriving.commit()).rejects.toMatchObject({ ...storageFailed, cause: { code: 'ENOSPC' } });
  expect(await filesIn(store.directory)).toEqual([]);
});

test('what could not be written can be written once more', async () => {
  const store = await openStore();
  faults['the disk is full half-way']?.();
  const arriving = receive(store);
  await arriving.write(png());
  await expect(arriving.write(Buffer.alloc(50, 1))).rejects.toMatchObject(storageFailed);
  await arriving.write(Buffer.alloc(50, 1));
  await arriving.commit();
  expect(await arriving.read(0, 1_000)).toEqual(Buffer.concat([png(), Buffer.alloc(50, 1)]));
});

describe('a fault that passes', () => {
  const retrying = () => ({ signal: new AbortController().signal, until: Number.POSITIVE_INFINITY });
  const bytes = Buffer.concat([png(), Buffer.alloc(2_000)]);

  /** Fails the first three times, in the middle of what it is to write if it writes. */
  const spoilThrice = (write: (...call: unknown[]) => Promise<unknown>) => {
    let calls = 0;
    return async (...call: unknown[]) => {
      calls += 1;
      const [chunk, offset, length, position] = call;
      if (calls <= 3 && Buffer.isBuffer(chunk)) await write(chunk, offset, Math.floor(Number(length) / 2), position);
      if (calls <= 3) throw diskError('ENOSPC');
      return write(...call);
    };
  };
  const passing: Record<string, () => void> = {
    'of opening the file': () => {
      const opening = spoilThrice(async () => undefined);
      fault.open = async (path, flags, mode) => {
        if (flags === 'wx+') await opening();
        return real.open(path, flags, mode);
      };
    },
    'of writing to it': () =>
      spoilOpened('file', (file) => {
        file.write = spoilThrice(file.write.bind(file) as never) as never;
      }),
    'of renaming it': () => {
      fault.rename = spoilThrice(real.rename as never) as never;
    },
  };

  test.for(Object.keys(passing))('%s costs no image: it is stored whole when there is room again', async (name) => {
    const store = await openStore();
    passing[name]?.();
    const { id } = await storing(store, retrying())();
    const image = await store.open(id);
    expect(Buffer.concat(await Array.fromAsync(image?.read() ?? []))).toEqual(bytes);
    expect(await filesIn(store.directory)).toHaveLength(1);
  });

  test('is waited for until no time is left, and the image is lost to the disk then', async () => {
    const store = await openStore();
    let tries = 0;
    fault.open = (path, flags, mode) => {
      if (flags !== 'wx+') return real.open(path, flags, mode);
      tries += 1;
      return Promise.reject(diskError('ENOSPC'));
    };
    const stored = storing(store, { ...retrying(), until: performance.now() + 1_000 })();
    await expect(stored).rejects.toMatchObject({ ...storageFailed, cause: { code: 'ENOSPC' } });
    expect(tries).toBeGreaterThan(1);
    expect(await filesIn(store.directory)).toEqual([]);
  });

  test('is not waited for when the caller is gone', async () => {
    const store = await openStore();
    rejectOpen('ENOSPC')();
    const abort = new AbortController();
    const stored = storing(store, { ...retrying(), signal: abort.signal })();
    const reason = new Error('gone');
    abort.abort(reason);
    await expect(stored).rejects.toBe(reason);
    expect(await filesIn(store.directory)).toEqual([]);
  });

  test('is not waited for any more once the image is discarded', async () => {
    const store = await openStore();
    const tried = Promise.withResolvers<void>();
    fault.open = (path, flags, mode) => {
      if (flags !== 'wx+') return real.open(path, flags, mode);
      tried.resolve();
      return Promise.reject(diskError('ENOSPC'));
    };
    const arriving = receive(store);
    const written = arriving.write(png(), retrying());
    const failed = expect(written).rejects.toMatchObject(storageFailed);
    await tried.promise;
    await arriving.discard();
    delete fault.open;
    await failed;
    expect(await filesIn(store.directory)).toEqual([]);
  });

  test('is not waited for by default', async () => {
    const store = await openStore();
    let tries = 0;
    fault.rename = () => {
      tries += 1;
      return Promise.reject(diskError('EIO'));
    };
    await expect(storing(store)()).rejects.toMatchObject(storageFailed);
    expect(tries).toBe(1);
  });

  test('of syncing it is not one: a sync that succeeds later proves nothing', async () => {
    const store = await openStore();
    let tries = 0;
    spoilOpened('file', (file) => {
      file.datasync = async () => {
        tries += 1;
        throw diskError('EIO');
      };
    });
    await expect(storing(store, retrying())()).rejects.toMatchObject(storageFailed);
    expect(tries).toBe(1);
    expect(await filesIn(store.directory)).toEqual([]);
  });
});

test.skipIf(!existsSync('/dev/full'))('a device that is really full fails as storage', async () => {
  const store = await openStore();
  fault.open = (path, flags, mode) => (flags === 'wx+' ? real.open('/dev/full', 'r+') : real.open(path, flags, mode));
  await expect(put(store)).rejects.toMatchObject({ ...storageFailed, cause: { code: 'ENOSPC' } });
});

test.for(['vanished', 'become a file'])('an image fails as storage when the directory has %s', async (what) => {
  const store = await openStore();
  await rm(store.directory, { recursive: true });
  if (what !== 'vanished') await writeFile(store.directory, '');
  await expect(put(store)).rejects.toMatchObject(storageFailed);
});

test('an image fails as storage when the directory vanishes under it, and what came can still be read', async () => {
  const store = await openStore();
  const arriving = receive(store);
  await arriving.write(png());
  await rm(join(store.directory, 'arriving'), { recursive: true });
  await arriving.write(png());
  await expect(arriving.commit()).rejects.toMatchObject(storageFailed);
  expect(await arriving.read(0, 200)).toEqual(Buffer.concat([png(), png()]));
  expect(await filesIn(store.directory)).toEqual([]);
});

test('a file that is shorter than what was written to it cannot be read on for ever', async () => {
  const store = await openStore();
  const arriving = receive(store);
  await arriving.write(png());
  const [name = ''] = await filesIn(store.directory);
  await truncate(join(store.directory, 'arriving', name), 50);
  expect(await arriving.read(0, 100)).toHaveLength(50);
  await expect(arriving.read(50, 50)).rejects.toMatchObject(storageFailed);
});

test.for([
  ['HTML', '<!doctype html><script>alert(1)</script>'],
  ['SVG', '<svg xmlns="http://www.w3.org/2000/svg"></svg>'],
  ['XML', '<?xml version="1.0"?><svg/>'],
  ['BMP', `BM${'\0'.repeat(60)}`],
  ['the first half of a PNG header', '\x89PNG'],
  ['no byte at all', ''],
])('%s is no image: it never reaches the disk', async ([, text = '']) => {
  const store = await openStore();
  fault.open = () => Promise.reject(new Error('nothing is to be opened'));
  await expect(put(store, Buffer.from(text, 'latin1'))).rejects.toMatchObject(unusable);
  expect(await filesIn(store.directory)).toEqual([]);
});

test('an image that is too long is refused by the byte that is too much', async () => {
  const store = await openStore({ maxImageBytes: 1_000 });
  const arriving = receive(store);
  await arriving.write(png(1_000));
  await expect(arriving.write(Buffer.alloc(1))).rejects.toMatchObject(unusable);
  await expect(arriving.commit()).rejects.toMatchObject(unusable);
  expect(await filesIn(store.directory)).toEqual([]);
  await expect(put(store, png(1_000))).resolves.toMatchObject({ length: 1_000 });
});

test('a hosted image longer than the whole store fails as storage and evicts nothing', async () => {
  const store = await openStore({ maxBytes: 1_000 });
  const { id } = await put(store, png(900));
  await expect(put(store, png(1_001))).rejects.toMatchObject(storageFailed);
  expect(await store.open(id)).toBeDefined();
  expect(await filesIn(store.directory)).toHaveLength(1);
});
