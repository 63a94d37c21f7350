import OpenAI from 'openai';
import type { ImageGenerateParamsNonStreaming } from 'openai/resources/images';
import { expect } from 'vitest';
import { type ScenarioDescription, type ScenarioReach, scenarios } from '../../simulator/scenarios.ts';
import { gatewayKey } from '../helpers/start-gateway.ts';
import { requestLines, startRig } from './rig.ts';

/** A way to ask for images with the SDK, and the scenarios that mean something there. */
export type Flow = {
  readonly name: string;
  readonly request: Record<string, unknown>;
  readonly modelKeys?: Record<string, unknown>;
  readonly reaches: readonly ScenarioReach[];
};

const synchronous = ['all', 'synchronous', 'gpt-image'] as const;

export const flows: readonly Flow[] = [
  { name: 'the synchronous flow', request: { n: 2 }, reaches: synchronous },
  { name: 'a stream', request: { stream: true, partial_images: 1 }, reaches: [...synchronous, 'stream'] },
  {
    name: 'a stream of the upstream that is collapsed',
    request: {},
    modelKeys: { upstreamStream: 'always' },
    reaches: [...synchronous, 'stream'],
  },
  {
    name: 'the legacy flow',
    request: { model: 'dall-e-2', response_format: 'b64_json' },
    reaches: ['all', 'legacy', 'download'],
  },
];

/**
 * Asks for scenarios with the SDK, whose own retries are on; fails where one is bought twice, or the SDK asks twice. Each
 * has a gateway of its own, because a target that one of them has cooled down is not there for the next.
 */
export async function buyAll(flow: Flow, isPlayed: (scenario: ScenarioDescription) => boolean): Promise<void> {
  const table: readonly ScenarioDescription[] = scenarios;
  const rows = table.filter((row) => flow.reaches.includes(row.reach) && isPlayed(row));
  const bought: unknown[] = [];
  for (let at = 0; at < rows.length; at += 10) {
    bought.push(...(await Promise.all(rows.slice(at, at + 10).map((row) => buy(row, flow)))));
  }
  expect(bought.length).toBeGreaterThan(10);
  expect(bought).toEqual(rows.map(({ name, billed }) => [name, billed ? 1 : 0, 1]));
}

/** Asks for one scenario; gives what was billed, and how often the SDK asked the gateway. */
async function buy({ name }: ScenarioDescription, { request, modelKeys }: Flow) {
  const rig = await startRig({ timeoutMs: 1_500, modelKeys: { maxRetries: 2, ...modelKeys } });
  const client = new OpenAI({ apiKey: gatewayKey, baseURL: `${rig.url}/v1` });
  const asked = { model: 'image', ...request, prompt: `simulate:${name}` } as ImageGenerateParamsNonStreaming;
  const stream = await client.images
    .generate(asked)
    .then((response) => response as object as AsyncIterable<unknown> | { readonly data: unknown })
    .catch(() => undefined);
  const reading = async () => {
    if (stream && Symbol.asyncIterator in stream) for await (const _event of stream);
  };
  await reading().catch(() => undefined);
  await expect.poll(() => [requestLines(rig).length > 0, rig.app.gateway.inFlight]).toEqual([true, 0]);
  return [name, rig.simulator.ledger.counts().billed, requestLines(rig).length];
}
