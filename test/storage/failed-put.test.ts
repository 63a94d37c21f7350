import { existsSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { chunks, filesIn, openStore, png } from './store-directory.ts';

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
    if ((flags === 'wx') === (which === 'file')) spoil(opened);
    return opened;
  };
};

const rejectOpen = (code: string) => () => {
  fault.open = (path, flags, mode) => (flags === 'wx' ? Promise.reject(diskError(code)) : real.open(path, flags, mode));
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
      file.sync = async () => Promise.reject(diskError('EIO'));
    }),
  'the file cannot be renamed': () => {
    fault.rename = () => Promise.reject(diskError('EIO'));
  },
  'the directory cannot be synced': () =>
    spoilOpened('directory', (directory) => {
      directory.sync = async () => Promise.reject(diskError('EIO'));
    }),
};

test.for(Object.keys(faults))(
  'when %s, the put fails as storage, nothing is left, and the next one works',
  async (name) => {
    const store = await openStore();
    let closed = false;
    async function* source() {
      try {
        yield* [png(), Buffer.alloc(1_000), Buffer.alloc(1_000)];
      } finally {
        closed = true;
      }
    }
    faults[name]?.();
    await expect(store.put(source())).rejects.toMatchObject({ ...storageFailed, cause: { code: expect.any(String) } });
    expect(closed).toBe(true);
    expect(await filesIn(store.directory)).toEqual([]);

    delete fault.open;
    delete fault.rename;
    expect(await store.open((await store.put(chunks(png()))).id)).toBeDefined();
  },
);

describe('a fault that passes', () => {
  const retrying = () => ({ signal: new AbortController().signal, until: Number.POSITIVE_INFINITY });
  const bytes = Buffer.concat([png(), Buffer.alloc(5_000, 7)]);

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
        if (flags === 'wx') await opening();
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
    const { id } = await store.put(chunks(bytes), retrying());
    const image = await store.open(id);
    expect(Buffer.concat(await Array.fromAsync(image?.read() ?? []))).toEqual(bytes);
    expect(await filesIn(store.directory)).toHaveLength(1);
  });

  test('is waited for until no time is left, and the image is lost to the disk then', async () => {
    const store = await openStore();
    let tries = 0;
    fault.open = (path, flags, mode) => {
      if (flags !== 'wx') return real.open(path, flags, mode);
      tries += 1;
      return Promise.reject(diskError('ENOSPC'));
    };
    const put = store.put(chunks(bytes), { ...retrying(), until: performance.now() + 1_000 });
    await expect(put).rejects.toMatchObject({ ...storageFailed, cause: { code: 'ENOSPC' } });
    expect(tries).toBeGreaterThan(1);
    expect(await filesIn(store.directory)).toEqual([]);
  });

  test('is not waited for when the caller is gone', async () => {
    const store = await openStore();
    rejectOpen('ENOSPC')();
    const abort = new AbortController();
    const put = store.put(chunks(bytes), { ...retrying(), signal: abort.signal });
    const reason = new Error('gone');
    abort.abort(reason);
    await expect(put).rejects.toBe(reason);
    expect(await filesIn(store.directory)).toEqual([]);
  });
});

test.skipIf(!existsSync('/dev/full'))('a device that is really full fails as storage', async () => {
  const store = await openStore();
  fault.open = (path, flags, mode) => (flags === 'wx' ? real.open('/dev/full', 'w') : real.open(path, flags, mode));
  await expect(store.put(chunks(png()))).rejects.toMatchObject({ ...storageFailed, cause: { code: 'ENOSPC' } });
});

test.for(['vanished', 'become a file'])('a put fails as storage when the directory has %s', async (what) => {
  const store = await openStore();
  await rm(store.directory, { recursive: true });
  if (what !== 'vanished') await writeFile(store.directory, '');
  await expect(store.put(chunks(png()))).rejects.toMatchObject(storageFailed);
});

test('a put fails as storage when the directory vanishes under it', async () => {
  const store = await openStore();
  async function* source() {
    yield png();
    await rm(join(store.directory, 'arriving'), { recursive: true });
    yield png();
  }
  await expect(store.put(source())).rejects.toMatchObject(storageFailed);
  expect(await filesIn(store.directory)).toEqual([]);
});

test.for([
  ['its own error', new Error('truncated')],
  ['a GatewayError', new GatewayError('upstream_outcome_unknown', 'truncated', { outcome: 'unknown' })],
])('a source that fails half-way with %s passes it on, and nothing is left', async ([, error]) => {
  const store = await openStore();
  async function* source() {
    yield png();
    throw error;
  }
  await expect(store.put(source())).rejects.toBe(error);
  expect(await filesIn(store.directory)).toEqual([]);
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
  await expect(store.put(chunks(Buffer.from(text, 'latin1')))).rejects.toMatchObject(unusable);
  expect(await filesIn(store.directory)).toEqual([]);
});

test('an image that is too long is refused without being read to its end', async () => {
  const store = await openStore({ maxImageBytes: 1_000 });
  let yielded = 0;
  async function* endless() {
    for (;;) {
      yielded += 1;
      yield png(400);
    }
  }
  await expect(store.put(endless())).rejects.toMatchObject(unusable);
  expect(yielded).toBe(3);
  expect(await filesIn(store.directory)).toEqual([]);
  await expect(store.put(chunks(png(1_000)))).resolves.toMatchObject({ length: 1_000 });
});

test('an image longer than the whole store fails as storage and evicts nothing', async () => {
  const store = await openStore({ maxBytes: 1_000 });
  const { id } = await store.put(chunks(png(900)));
  await expect(store.put(chunks(png(1_001)))).rejects.toMatchObject(storageFailed);
  expect(await store.open(id)).toBeDefined();
  expect(await filesIn(store.directory)).toHaveLength(1);
});
