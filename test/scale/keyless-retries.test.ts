import { describe, expect, test } from 'vitest';
import { codeOf } from '../crash/matrix/keyed-client.ts';
import { heldAfterSending } from '../crash/matrix/modes.ts';
import { send } from '../crash/matrix/stage.ts';
import { useBundle } from '../crash/matrix/use-bundle.ts';
import { temporaryDirectory } from '../helpers/temporary-directory.ts';
import { send as begin, keyless, openJobStore } from '../storage/sql/open-job-store.ts';
import { Replicas } from './replicas.ts';

const never = 2 ** 31 - 1;

describe('a retry without a key, while another process runs an equal job', () => {
  test('waits until the lease of that process has run out, and gets its job then', async () => {
    const directory = await temporaryDirectory();
    const dead = await openJobStore({ directory, lease: { validMs: 1_500, renewEveryMs: never } });
    const { job } = await begin(dead, keyless());
    const living = await openJobStore({ directory });
    expect(await living.claim(keyless())).toEqual({ kind: 'running', job });
  });

  test('begins a job of its own once that process has shown that it lives', async () => {
    const directory = await temporaryDirectory();
    const other = await openJobStore({ directory, lease: { validMs: 8_000, renewEveryMs: 300 } });
    await begin(other, keyless());
    const store = await openJobStore({ directory });
    expect(await store.claim(keyless())).toMatchObject({ kind: 'new' });
  });
});

describe('of a replica that was killed', () => {
  const program = useBundle();

  test('accepted work is followed by another one, which gives it to a retry without a key', async () => {
    await using replicas = await Replicas.prepare(program.entry);
    const [one, other] = await Promise.all([replicas.start(), replicas.start()]);
    await one.stopAt('handle noted');
    const first = send(one, 'legacy', 'a cat', undefined);
    await one.reached('handle noted');
    await one.kill();
    await first.reply;
    expect(await send(other, 'legacy', 'a cat', undefined).reply).toMatchObject({ status: 200, isWhole: true });
    expect(replicas.billed('a cat')).toBe(1);
  });

  test('a call that was sent is not sent again by a retry without a key', async () => {
    await using replicas = await Replicas.prepare(program.entry);
    const [one, other] = await Promise.all([replicas.start(), replicas.start()]);
    replicas.relay.hold({ ...heldAfterSending, atMost: 1 });
    const first = send(one, 'deployment', 'a cat', undefined);
    await replicas.relay.holds(1);
    await one.kill();
    replicas.relay.release();
    await first.reply;
    const retried = await send(other, 'deployment', 'a cat', undefined).reply;
    expect([retried.status, codeOf(retried)]).toEqual([502, 'upstream_outcome_unknown']);
    expect(replicas.billed('a cat')).toBe(1);
  });
});
