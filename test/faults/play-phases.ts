import type { Socket } from 'node:net';
import { describe, expect, test } from 'vitest';
import { tinyPng } from '../fixtures/images.ts';
import { farewells, startClient } from './disconnecting.ts';
import type { Place } from './held-response.ts';
import { isPolled, legsOf, type Mode } from './modes.ts';
import { callBytes, rawCall } from './raw-client.ts';
import { readMetrics } from './read-metrics.ts';
import { atRest, callOf, type OnFinished, restOf } from './rig.ts';
import { becomes, call, endsOf, expectStageWorks, type Stage, sentFor, setStage } from './stage.ts';
import { until } from './until.ts';

const lingerMs = 700;
const prompt = 'a leaving prompt-canary';

type Disconnect = (socket: Socket) => void;

/** 0: its request has not arrived completely. */
async function disconnectsDuringUpload(mode: Mode, disconnect: Disconnect, onFinished: OnFinished): Promise<void> {
  const stage = await setStage(mode, { place: 'before headers', word: 'never' }, onFinished);
  const bytes = callBytes(callOf(mode, 'image', prompt));
  const { socket } = startClient(stage.gateway.url, bytes.subarray(0, -20), { onFinished });
  const { admission } = stage.gateway.app.gateway;
  expect(
    await until(
      () => admission.heldBytes,
      (held) => held > 0,
    ),
  ).toBeGreaterThan(0);
  disconnect(socket);
  expect(await restOf(stage.gateway, [stage.upstream])).toEqual(atRest);
  expect(stage.upstream.received).toBe(0);
  await expectStageWorks(stage);
  expect(await endsOf(stage)).toEqual({ delivered: legsOf(mode) });
}

/** 1 and 2: others have taken the places that it waits for, in the process or at the target. */
async function disconnectsInQueue(
  mode: Mode,
  disconnect: Disconnect,
  onFinished: OnFinished,
  queue: 'process' | 'target',
): Promise<void> {
  const keys = queue === 'process' ? { limits: { inFlight: 1 } } : { targetKeys: { maxConcurrent: legsOf(mode) } };
  const stage = await setStage(mode, { place: 'before headers', word: 'blocking', ...keys }, onFinished);
  const { gateway } = stage.gateway.app;
  const waiting = () =>
    queue === 'process' ? gateway.admission.waiting : gateway.catalog.find('image').targets[0]?.health.permits.waiting;
  const blocker = rawCall(stage.gateway.url, callOf(mode, 'image', 'a blocking prompt-canary'));
  await becomes(() => sentFor(stage, 'blocking'), legsOf(mode));
  const { socket } = call(stage, prompt);
  await becomes(waiting, queue === 'process' ? 1 : legsOf(mode));
  disconnect(socket);
  await becomes(waiting, 0);
  await becomes(() => gateway.inFlight, 1);
  stage.goOn();
  expect((await blocker).images).toHaveLength(legsOf(mode));
  expect(sentFor(stage, 'leaving')).toBe(0);
  await expectStageWorks(stage);
  expect(await endsOf(stage)).toEqual({ delivered: 2 * legsOf(mode) });
}

/** 3 and 4: an image may be on its way, and nobody has seen a byte of it. */
async function disconnectsDuringPaidCall(
  mode: Mode,
  disconnect: Disconnect,
  onFinished: OnFinished,
  how: { readonly place: Place; readonly lingerMs?: number },
): Promise<Stage> {
  const { place } = how;
  const stage = await setStage(mode, { ...how, word: 'leaving' }, onFinished);
  const { gateway } = stage.gateway.app;
  const { socket } = call(stage, prompt);
  await becomes(() => sentFor(stage, 'leaving'), legsOf(mode));
  if (isPolled(mode) && place === 'before the image') {
    await until(
      () => stage.upstream.requests.length,
      (count) => count > 2,
    );
  }
  disconnect(socket);
  await becomes(() => gateway.orphans, 1);
  return stage;
}

async function expectLingering(stage: Stage, place: Place): Promise<void> {
  const { mode, upstream } = stage;
  const { gateway } = stage.gateway.app;
  const dials = upstream.dials;
  const begin = performance.now();
  await until(
    () => gateway.orphans,
    (orphans) => orphans === 0,
  );
  const lingered = performance.now() - begin;
  expect(lingered).toBeGreaterThan(lingerMs / 4);
  expect(await restOf(stage.gateway, [upstream])).toEqual(atRest);
  expect(sentFor(stage, 'leaving')).toBe(legsOf(mode));
  if (!isPolled(mode)) expect(upstream.dials).toBe(dials);
  expect(await endsOf(stage)).toEqual({ abandoned: legsOf(mode) });
  // A job is ended as soon as nobody can want its image any more; before its POST gets a response it has no name.
  await becomes(() => upstream.cancels, mode === 'agent-background' && place === 'before the image' ? 1 : 0);
  await expectStageWorks(stage);
}

/** Its own retry, within the time that the call lingers. */
async function expectRejoined(stage: Stage): Promise<void> {
  const { mode, upstream } = stage;
  const { gateway } = stage.gateway.app;
  const retry = rawCall(stage.gateway.url, callOf(mode, 'image', prompt, { 'x-stainless-retry-count': '1' }));
  await becomes(() => gateway.orphans, 0);
  stage.goOn();
  const { status, images } = await retry;
  expect({ status, images }).toEqual({ status: 200, images: Array(legsOf(mode)).fill(tinyPng) });
  expect(sentFor(stage, 'leaving')).toBe(legsOf(mode));
  expect(await restOf(stage.gateway, [upstream])).toEqual(atRest);
  const { ends, text } = await readMetrics(stage.gateway.url);
  expect(ends).toEqual({ delivered: legsOf(mode) });
  expect(text).toContain('gateway_retries_arrived_total{end="rejoined"} 1');
  expect(upstream.cancels).toBe(0);
  await expectStageWorks(stage);
}

/** 7: it has got a part of its image. */
async function disconnectsDuringResponse(mode: Mode, disconnect: Disconnect, onFinished: OnFinished): Promise<void> {
  const stage = await setStage(mode, { place: 'in the image', word: 'leaving' }, onFinished);
  const { socket, heard } = call(stage, prompt);
  expect(await until(heard, (text) => text.includes(tinyPng.slice(0, 12)))).toContain(tinyPng.slice(0, 12));
  disconnect(socket);
  await becomes(() => stage.gateway.app.gateway.inFlight, 0);
  expect(await restOf(stage.gateway, [stage.upstream])).toEqual(atRest);
  expect(stage.gateway.app.gateway.orphans).toBe(0);
  expect(await endsOf(stage)).toEqual({ abandoned: legsOf(mode) });
  expect(sentFor(stage, 'leaving')).toBe(legsOf(mode));
  // What has ended needs no end.
  expect(stage.upstream.cancels).toBe(0);
  await expectStageWorks(stage);
}

/** A caller leaves in each phase of a request, in each way. */
export function playPhases(modes: readonly Mode[]): void {
  describe.concurrent.each(modes)('a caller leaves, mode %s', (mode) => {
    for (const [farewell, disconnect] of farewells) {
      test(`0, in its upload: it ${farewell}, and nothing is sent`, ({ onTestFinished }) =>
        disconnectsDuringUpload(mode, disconnect, onTestFinished));
      test(`1, before it is admitted: it ${farewell}, and nothing is sent`, ({ onTestFinished }) =>
        disconnectsInQueue(mode, disconnect, onTestFinished, 'process'));
      test(`2, in the queue of its target: it ${farewell}, and nothing is sent`, ({ onTestFinished }) =>
        disconnectsInQueue(mode, disconnect, onTestFinished, 'target'));
      for (const [phase, place] of [
        [3, 'before headers'],
        [4, 'before the image'],
      ] as const) {
        test(`${phase}, ${place}: it ${farewell}, and the call lingers, then ends`, async ({ onTestFinished }) =>
          expectLingering(
            await disconnectsDuringPaidCall(mode, disconnect, onTestFinished, { place, lingerMs }),
            place,
          ));
        test(`${phase}, ${place}: it ${farewell}, and rejoins its call`, async ({ onTestFinished }) =>
          expectRejoined(await disconnectsDuringPaidCall(mode, disconnect, onTestFinished, { place })));
      }
      test(`7, in its image: it ${farewell}, and the upstream is left at once`, ({ onTestFinished }) =>
        disconnectsDuringResponse(mode, disconnect, onTestFinished));
    }
  });
}
