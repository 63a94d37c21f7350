import { describe, expect, test } from 'vitest';
import { createObjectKeptInputs } from '../../../src/storage/objects/object-kept-inputs.ts';
import { editOf, readInput } from './kept-edit.ts';
import { MemoryBucket } from './memory-bucket.ts';

const lifetime = { lifetimeMs: () => 5_000, now: () => 1_000 };

describe('inputs of a job', () => {
  test('can be read by another gateway, and are gone once they are released', async () => {
    const bucket = new MemoryBucket();
    const bytes = [Buffer.alloc(2_500, 1), Buffer.alloc(1_000, 2), Buffer.alloc(1, 3)];
    const edit = editOf(bytes);
    const name = await createObjectKeptInputs({ bucket, ...lifetime }).keep('consumer', edit);
    expect([...bucket.objects.values()].map(({ properties }) => properties.expiresAt)).toEqual([6_000, 6_000, 6_000]);
    const other = createObjectKeptInputs({ bucket, ...lifetime });
    const kept = other.open(name);
    for (const [at, image] of edit.images.entries())
      expect((await readInput(kept, image)).equals(bytes[at] as Buffer)).toBe(true);
    await other.removeUnused([]);
    expect(bucket.objects.size).toBe(3);
    await kept.release();
    expect(bucket.objects.size).toBe(0);
    await expect(readInput(kept, edit.images[0])).rejects.toMatchObject({ status: 404 });
  });

  test('that are equal are stored once', async () => {
    const bucket = new MemoryBucket();
    await createObjectKeptInputs({ bucket, ...lifetime }).keep(
      'consumer',
      editOf([Buffer.from('a'), Buffer.from('a')]),
    );
    expect(bucket.objects.size).toBe(1);
  });

  test('that cannot be stored are refused, and leave nothing', async () => {
    const bucket = new MemoryBucket();
    bucket.before = async (operation) => {
      bucket.status = operation === 'put' && bucket.objects.size > 0 ? 503 : undefined;
    };
    const keeping = createObjectKeptInputs({ bucket, ...lifetime });
    const kept = keeping.keep('consumer', editOf([Buffer.from('a'), Buffer.from('b')]));
    await expect(kept).rejects.toMatchObject({ kind: 'storage_failed' });
    expect(bucket.objects.size).toBe(0);
  });

  test('of one consumer take half of the room at most, until they are released', async () => {
    const bucket = new MemoryBucket();
    const keeping = createObjectKeptInputs({ bucket, ...lifetime, maxBytes: 20 });
    const edit = editOf([Buffer.alloc(6, 1)]);
    const name = await keeping.keep('one', edit);
    await expect(keeping.keep('one', edit)).rejects.toMatchObject({ kind: 'storage_full' });
    expect(bucket.objects.size).toBe(1);
    await keeping.keep('two', edit);
    await keeping.open(name).release();
    await keeping.keep('one', edit);
    expect(bucket.objects.size).toBe(2);
  });

  test('are none under a name that is none', async () => {
    const bucket = new MemoryBucket();
    const inputs = createObjectKeptInputs({ bucket, ...lifetime });
    await inputs.keep('consumer', editOf([Buffer.from('a')]));
    for (const name of [undefined, '', '../images', 'a'.repeat(25)]) await inputs.open(name).release();
    expect(bucket.objects.size).toBe(1);
  });
});
