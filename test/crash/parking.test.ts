import { request } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { GatewayProcess } from './matrix/gateway-process.ts';
import { codeOf, type Reply } from './matrix/keyed-client.ts';
import { hasHandle, heldBeforeImage, heldInBody, legsOf, type Mode, modes, waitingModes } from './matrix/modes.ts';
import { type Stage, send } from './matrix/stage.ts';
import { useBundle } from './matrix/use-bundle.ts';

const { startStage } = useBundle();

/** A GUID, as an `Operation-Id` must be. */
const key = '6fb4f0c2-6a0e-4a55-9d0e-1f0c6a3b8d21';

const followed = modes.filter(hasHandle);
const waitedFor = waitingModes.filter(hasHandle);
const synchronous = modes.filter((mode) => !hasHandle(mode));

/** Resolves once it takes no connections any more: what it has now is all that it will have. */
async function closing({ url }: GatewayProcess): Promise<void> {
  const isOpen = () =>
    new Promise<boolean>((done) => {
      const probe = request(`${url}/healthz`, { agent: false }, (response) => {
        response.resume().once('close', () => done(true));
      });
      probe.once('error', () => done(false)).end();
    });
  while (await isOpen()) await wait(100);
}

/** A gateway with a request whose image is held by the upstream: accepted work is known by its handle. */
async function withHeldRequest(stage: Stage, mode: Mode, held = heldBeforeImage(mode)) {
  const gateway = await stage.startGateway();
  stage.relay.hold(held);
  const asking = send(gateway, mode, 'a cat', key);
  await stage.relay.holds(legsOf(mode));
  return { gateway, asking };
}

/** What the key gets from the next gateway. */
async function outcome(stage: Stage, mode: Mode) {
  const next = await stage.startGateway();
  const first = await send(next, mode, 'a cat', key).reply;
  const last = await send(next, mode, 'a cat', key).reply;
  return { ...seen(first, last), billed: stage.billed('a cat'), cancelled: stage.simulator.ledger.counts().cancelled };
}

function seen(one: Reply, other: Reply) {
  return { statuses: [one.status, other.status], areEqual: one.body.equals(other.body) };
}

const right = (mode: Mode) => ({ statuses: [200, 200], areEqual: true, billed: legsOf(mode), cancelled: 0 });

const helds = followed.flatMap((mode) => [
  ['before its image comes', mode, heldBeforeImage(mode)] as const,
  ['while its image comes', mode, heldInBody(mode)] as const,
]);

test.concurrent.each(helds)(
  '%s, %s: at SIGTERM, accepted work without a client is left to the next gateway',
  async (_, mode, held) => {
    await using stage = await startStage();
    const { gateway, asking } = await withHeldRequest(stage, mode, held);
    asking.leave();
    gateway.signal('SIGTERM');
    // The upstream has not responded yet: it does not wait for that.
    expect(await gateway.exit()).toBe(0);
    stage.relay.release();
    expect(await outcome(stage, mode)).toEqual(right(mode));
  },
);

test.concurrent.each(waitedFor)(
  '%s: past the deadline of a stalled download, the key still gets its image',
  async (mode) => {
    await using stage = await startStage({ keys: { timeoutMs: 5_000 } });
    const { asking } = await withHeldRequest(stage, mode, heldInBody(mode));
    // Its response breaks off.
    await asking.reply;
    stage.relay.release();
    expect(await outcome(stage, mode)).toEqual(right(mode));
  },
);

test.concurrent.each(waitedFor)(
  '%s: at the drain limit, a client is told to come again, and gets its image from the next gateway',
  async (mode) => {
    await using stage = await startStage({ limits: { drainMs: 100 } });
    const { gateway, asking } = await withHeldRequest(stage, mode);
    gateway.signal('SIGINT');
    const reply = await asking.reply;
    expect([reply.status, codeOf(reply), reply.headers['retry-after']]).toEqual([409, 'idempotency_in_flight', '2']);
    expect(await gateway.exit()).toBe(0);
    stage.relay.release();
    expect(await outcome(stage, mode)).toEqual(right(mode));
  },
);

test.concurrent.each(synchronous)('%s: at SIGTERM, a call without a client ends and is stored', async (mode) => {
  await using stage = await startStage();
  const { gateway, asking } = await withHeldRequest(stage, mode);
  asking.leave();
  gateway.signal('SIGTERM');
  await closing(gateway);
  stage.relay.release();
  expect(await gateway.exit()).toBe(0);
  expect(await outcome(stage, mode)).toEqual(right(mode));
});

test.concurrent.each(synchronous)(
  '%s: past the drain limit, a call without a client is reported as unknown',
  async (mode) => {
    await using stage = await startStage({ limits: { drainMs: 100 } });
    const { gateway, asking } = await withHeldRequest(stage, mode);
    asking.leave();
    gateway.signal('SIGINT');
    expect(await gateway.exit()).toBe(0);
    stage.relay.release();
    expect(await outcome(stage, mode)).toEqual({ ...right(mode), statuses: [502, 502] });
  },
);

test.concurrent.each(waitingModes)(
  '%s: a second gateway joins what the first one runs, and both clients get the same bytes',
  async (mode) => {
    await using stage = await startStage();
    const { gateway, asking } = await withHeldRequest(stage, mode);
    const next = await stage.startGateway();
    const joined = send(next, mode, 'a cat', key);
    gateway.signal('SIGTERM');
    await closing(gateway);
    stage.relay.release();
    const replies = [await asking.reply, await joined.reply] as const;
    expect(replies.map(({ status, isWhole }) => [status, isWhole])).toEqual([
      [200, true],
      [200, true],
    ]);
    if (mode !== 'stream') expect(replies[1].body.equals(replies[0].body)).toBe(true);
    expect(await gateway.exit()).toBe(0);
    expect(await outcome(stage, mode)).toEqual(right(mode));
  },
);
