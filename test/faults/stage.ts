import { expect } from 'vitest';
import { tinyPng } from '../fixtures/images.ts';
import type { StartedGateway } from '../helpers/start-gateway.ts';
import { type DisconnectingClient, startClient } from './disconnecting.ts';
import { type FaultServer, startFaultServer } from './fault-server.ts';
import { holding, type Place } from './held-response.ts';
import { legsOf, type Mode } from './modes.ts';
import { callBytes, rawCall } from './raw-client.ts';
import { readMetrics } from './read-metrics.ts';
import { atRest, callOf, type GatewayOptions, leaksIn, type OnFinished, restOf, startFaultyGateway } from './rig.ts';
import { until } from './until.ts';

export type Stage = {
  readonly mode: Mode;
  readonly gateway: StartedGateway;
  readonly upstream: FaultServer;
  /** Lets the upstream finish. */
  readonly goOn: () => void;
  readonly onFinished: OnFinished;
};

type Setting = { readonly place: Place; readonly word: string; readonly lingerMs?: number } & Pick<
  GatewayOptions,
  'limits' | 'targetKeys'
>;

/** A gateway before an upstream that stops at this place for prompts with this word. */
export async function setStage(
  mode: Mode,
  { place, word, lingerMs = 10_000, ...keys }: Setting,
  onFinished: OnFinished,
): Promise<Stage> {
  const { script, goOn } = holding(mode, place, word);
  const upstream = await startFaultServer({ script, onFinished });
  const origins = { targets: [upstream.origin], spare: upstream.origin };
  const gateway = await startFaultyGateway(mode, origins, { ...keys, times: { lingerMs }, onFinished });
  return { mode, gateway, upstream, goOn, onFinished };
}

export const call = ({ gateway, mode, onFinished }: Stage, text: string): DisconnectingClient =>
  startClient(gateway.url, callBytes(callOf(mode, 'image', text)), { onFinished });

export const sentFor = ({ upstream }: Stage, text: string): number =>
  upstream.requests.filter(({ method, body }) => method === 'POST' && body.includes(text)).length;

/** A value becomes what it should be, in time. */
export async function becomes<T>(read: () => T, wanted: T, ms = 60_000): Promise<void> {
  expect(await until(read, (value) => value === wanted, ms)).toBe(wanted);
}

/** Nothing of the prompt anywhere, and nobody is alarmed by a client that disconnects. */
async function expectQuiet({ gateway }: Stage): Promise<void> {
  const { text } = await readMetrics(gateway.url);
  expect(leaksIn(gateway, text)).toEqual([]);
  expect(gateway.log.filter(({ level }) => Number(level) >= 50)).toEqual([]);
}

/** The upstream goes on, and the next caller gets its image. */
export async function expectStageWorks(stage: Stage): Promise<void> {
  const { gateway, mode, upstream, goOn } = stage;
  goOn();
  const { status, images } = await rawCall(gateway.url, callOf(mode, 'image', 'a next prompt-canary'));
  expect({ status, images }).toEqual({ status: 200, images: Array(legsOf(mode)).fill(tinyPng) });
  expect(await restOf(gateway, [upstream])).toEqual(atRest);
  await expectQuiet(stage);
}

export const endsOf = async ({ gateway }: Stage) => (await readMetrics(gateway.url)).ends;
