import { expect, test } from 'vitest';
import { drain } from '../../src/http/lifecycle.ts';
import { pending } from './agent-wire.ts';
import { startClient } from './disconnecting.ts';
import type { FaultServer, Script } from './fault-server.ts';
import { errorReply, jsonReply } from './http-text.ts';
import { expectReported } from './judge.ts';
import { goodResponse } from './modes.ts';
import { observe } from './observe.ts';
import { callBytes, rawCall } from './raw-client.ts';
import { isCancel } from './read-requests.ts';
import { atRest, callOf, type OnFinished, restOf } from './rig.ts';
import { reset, type Step } from './script.ts';
import { becomes, call, endsOf, type Stage, setStage } from './stage.ts';
import { expected } from './table/expected.ts';
import { hurriedJob } from './table/playing.ts';
import { shows, startTokenDesk } from './token-desk.ts';

const mode = 'agent-background';
const prompt = 'a leaving prompt-canary';

/** A job is polled, and does not end by itself. */
async function startJob(onFinished: OnFinished, lingerMs = 10_000): Promise<Stage> {
  return setStage(mode, { place: 'before the image', word: 'leaving', lingerMs }, onFinished);
}

const isPolling = (upstream: FaultServer) => becomes(() => upstream.polls > 1, true);

const limits = { leadMs: 0, limitMs: 100 };

test.concurrent('a shutdown responds to its callers, and ends their jobs', async ({ onTestFinished }) => {
  const { gateway, upstream } = await startJob(onTestFinished);
  const response = rawCall(gateway.url, callOf(mode, 'image', prompt));
  await isPolling(upstream);
  await drain(gateway.app, limits);
  expectReported(await response, expected.unknown, mode);
  expect(upstream.cancels).toBe(1);
  expect(await restOf(gateway, [upstream])).toEqual(atRest);
});

test.concurrent('a shutdown ends the jobs that have lost their callers', async ({ onTestFinished }) => {
  const stage = await startJob(onTestFinished);
  const { gateway, upstream } = stage;
  const { socket } = call(stage, prompt);
  await isPolling(upstream);
  socket.destroy();
  await becomes(() => gateway.app.gateway.orphans, 1);
  await drain(gateway.app, limits);
  await becomes(() => upstream.cancels, 1);
  expect(await restOf(gateway, [upstream])).toEqual(atRest);
});

/** A job that runs for ever, at an upstream that responds like this when it is to be ended. */
const unending = (cancelled: () => readonly Step[]): Script => ({
  welcome: 'serve',
  respond(request) {
    if (isCancel(request)) return { steps: cancelled(), isBilled: false };
    if (request.method === 'POST') return goodResponse(mode, request);
    return { steps: jsonReply(200, pending('in_progress'), { 'retry-after-ms': '1' }), isBilled: false };
  },
});

const responses: readonly (readonly [name: string, steps: () => readonly Step[]])[] = [
  ['404', () => errorReply(404, { code: 'not_found' })],
  ['500', () => errorReply(500, { code: 'server_error' })],
  ['a reset', () => [reset]],
  ['nothing', () => []],
];

test.concurrent.for(responses)('a job that is ended is forgotten: %s', async ([_name, steps], { onTestFinished }) => {
  const setting = { mode, client: 'raw', timeoutMs: hurriedJob, targets: [{ script: unending(steps) }] } as const;
  const { response, upstreams, metrics, gateway } = await observe(setting, { onFinished: onTestFinished });
  expectReported(response, expected.late, mode);
  await becomes(() => upstreams[0]?.cancels, 1);
  expect({ received: upstreams[0]?.received, ends: metrics.ends }).toEqual({ received: 1, ends: { unknown: 1 } });
  // An upstream that does not respond is waited for no longer than two seconds.
  expect(await restOf(gateway, upstreams)).toEqual(atRest);
});

test.concurrent('a job is ended with the token of that moment', async ({ onTestFinished }) => {
  const { entra } = startTokenDesk();
  const setting = {
    mode,
    client: 'raw',
    timeoutMs: hurriedJob,
    targets: [{ script: unending(() => jsonReply(200, {})) }],
  };
  const { upstreams } = await observe({ ...setting, mode, client: 'raw' }, { entra, onFinished: onTestFinished });
  await becomes(() => upstreams[0]?.cancels, 1);
  const cancel = upstreams[0]?.requests.find(isCancel);
  expect(cancel?.path).toBe('/api/projects/cage/openai/v1/responses/resp_one/cancel');
  expect(shows(cancel?.headers.authorization, 1)).toBe(true);
  expect(cancel?.body).toHaveLength(0);
});

test.concurrent('a caller that has left for good ends its job, and only its own', async ({ onTestFinished }) => {
  const stage = await startJob(onTestFinished, 100);
  const { gateway, upstream } = stage;
  const staying = startClient(gateway.url, callBytes(callOf(mode, 'image', `${prompt}, staying`)), {
    onFinished: onTestFinished,
  });
  const { socket } = call(stage, prompt);
  await becomes(() => upstream.received, 2);
  await isPolling(upstream);
  socket.destroy();
  await becomes(() => upstream.cancels, 1);
  await becomes(() => gateway.app.gateway.inFlight, 1);
  stage.goOn();
  await becomes(() => staying.heard().startsWith('HTTP/1.1 200'), true);
  await becomes(() => gateway.app.gateway.inFlight, 0);
  expect(upstream.cancels).toBe(1);
  expect(await endsOf(stage)).toEqual({ abandoned: 1, delivered: 1 });
});
