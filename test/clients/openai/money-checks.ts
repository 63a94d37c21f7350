import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { scenarios } from '../../../simulator/scenarios.ts';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { failure } from '../failure.ts';
import { inputImage } from '../images.ts';
import { expectOnePaid, gatewayKey, type Rig, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { collect } from './collect.ts';
import type { OpenAIClient, Sdk } from './sdk.ts';

/** Failures after which these SDKs, left alone, would retry twice. */
const known = ['429-ms-50', '429-seconds-1', '429-none', '503-busy-1', '503', '500'];
const tempting = [...known, '500-html', '502-html', '504', '408'];
const broken = ['409', 'reset-before-headers', 'reset', 'truncated-length', 'html-200', 'not-an-image'];

/** Checks that disconnecting early cancels, and that the SDK's own retries buy nothing twice. */
export function moneyChecks({ package: sdk, connect, streams }: Sdk) {
  const imageFile = async () => sdk.toFile(await inputImage(), 'teal.png', { type: 'image/png' });

  async function checkAbort(call: (client: OpenAIClient, signal: AbortSignal) => PromiseLike<unknown>) {
    const rig = await startRig({ lingerMs: 100 });
    const controller = new AbortController();
    const failed = failure(call(connect(rig.url), controller.signal));
    await expect.poll(() => rig.simulator.ledger.received).toBe(1);
    controller.abort();
    expect(await failed).toBeInstanceOf(sdk.APIUserAbortError);
    await expect.poll(() => rig.inFlight()).toBe(0);
    expect(rig.simulator.ledger.received).toBe(1);
  }

  async function checkScenarios(
    names: readonly string[],
    call: (client: OpenAIClient, prompt: string) => PromiseLike<unknown>,
  ) {
    await Promise.all(
      names.map(async (name) => {
        const rig = await startRig();
        await failure(call(connect(rig.url), `simulate:${name}`));
        const { received, billed } = rig.simulator.ledger.counts();
        // What is known not to have been made is requested again by the gateway, and only by it.
        expect({ name, received, billed }).toEqual({
          name,
          received: known.includes(name) ? 3 : 1,
          billed: isBilled(name),
        });
        expectNoRepetition(rig, 1);
      }),
    );
  }

  /** Gives up long before the image is there. The SDK's own retries get it, or else the same call that is made again. */
  async function checkKey(
    call: (client: OpenAIClient, options: { readonly headers: Record<string, string> }) => Promise<void>,
  ) {
    const rig = await startRig({ keepsJobs: true, lingerMs: 0 });
    const client = connect(rig.url, gatewayKey, { timeout: 800 });
    const key = 'order-4711-cover';
    const untilDone = (): Promise<void> =>
      call(client, { headers: { 'Idempotency-Key': key } }).catch((error) => {
        if (error instanceof sdk.APIConnectionTimeoutError) return untilDone();
        throw error;
      });
    await untilDone();
    expect(rig.calls.length).toBeGreaterThan(1);
    expect(new Set(rig.calls.map(({ headers }) => headers['idempotency-key']))).toEqual(new Set([key]));
    expectOnePaid(rig);
  }

  const slow = { model: 'image', prompt: 'simulate:slow-2500' } as const;

  return {
    abort: {
      generation: () =>
        checkAbort((client, signal) => client.images.generate({ model: 'image', prompt: 'simulate:hang' }, { signal })),
      edit: () =>
        checkAbort(async (client, signal) =>
          client.images.edit({ model: 'image', prompt: 'simulate:hang', image: await imageFile() }, { signal }),
        ),
      ...(streams && {
        async 'a stream after its first partial image'() {
          const rig = await startRig();
          const request = {
            model: 'image',
            prompt: 'simulate:stream-stall',
            stream: true,
            partial_images: 2,
          } as const;
          for await (const { type } of await connect(rig.url).images.generate(request)) {
            expect(type).toBe('image_generation.partial_image');
            break;
          }
          await expect.poll(() => rig.inFlight()).toBe(0);
          expect(rig.simulator.ledger.received).toBe(1);
        },
      }),
    },
    billedOnce: {
      generation: () =>
        checkScenarios([...tempting, ...broken], (client, prompt) =>
          client.images.generate({ model: 'image', prompt }),
        ),
      edit: () =>
        checkScenarios(tempting, async (client, prompt) =>
          client.images.edit({ model: 'image', prompt, image: await imageFile() }),
        ),
      async 'edit from a file stream'() {
        const path = join(await temporaryDirectory(), 'teal.png');
        await writeFile(path, await inputImage());
        await checkScenarios(tempting, (client, prompt) =>
          client.images.edit({ model: 'image', prompt, image: createReadStream(path) }),
        );
      },
      'generation with an Idempotency-Key': () =>
        checkKey(async (client, options) => {
          const { data } = await client.images.generate(slow, options);
          expect(data).toHaveLength(1);
        }),
      'edit with an Idempotency-Key': () =>
        checkKey(async (client, options) => {
          const { data } = await client.images.edit({ ...slow, image: await imageFile() }, options);
          expect(data).toHaveLength(1);
        }),
      ...(streams && {
        'stream with an Idempotency-Key': () =>
          checkKey(async (client, options) => {
            const events = await collect(await client.images.generate({ ...slow, stream: true }, options));
            expect(events.map(({ type }) => type)).toEqual(['image_generation.completed']);
          }),
        stream: () =>
          checkScenarios([...tempting, 'stream-cut', 'stream-error-late'], async (client, prompt) =>
            collect(await client.images.generate({ model: 'image', prompt, stream: true, partial_images: 1 })),
          ),
      }),
    },
  } satisfies Suite;
}

/** How often the ledger must hold a scenario. */
function isBilled(spelled: string): number {
  return scenarios.some(({ name, billed }) => billed && name === spelled) ? 1 : 0;
}

/** That the gateway itself was called once for each image: the SDK's retries did not even try. */
function expectNoRepetition({ calls }: Rig, count: number): void {
  const retries = calls.map(({ headers }) => headers['x-stainless-retry-count']);
  expect(retries).toEqual(Array(count).fill('0'));
}
