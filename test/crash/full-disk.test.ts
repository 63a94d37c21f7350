import { expect, test } from 'vitest';
import type { GatewayProcess } from './matrix/gateway-process.ts';
import { codeOf, type Reply } from './matrix/keyed-client.ts';
import { type Stage, send } from './matrix/stage.ts';
import { useBundle } from './matrix/use-bundle.ts';

const { startStage } = useBundle();

type Try = { readonly prompt: string; readonly reply: Reply };

/** Sends one request after the other, until one is refused. */
async function untilRefused(gateway: GatewayProcess, prompt = 'a cat'): Promise<{ served: Try[]; refused: Try }> {
  const served: Try[] = [];
  for (let call = 0; ; call += 1) {
    const one = `${prompt}, the ${call}th`;
    const reply = await send(gateway, 'deployment', one, one).reply;
    if (reply.status !== 200) return { served, refused: { prompt: one, reply } };
    served.push({ prompt: one, reply });
  }
}

function refusal(stage: Stage, { prompt, reply }: Try) {
  const { status, headers } = reply;
  return { status, code: codeOf(reply), retry: headers['x-should-retry'], billed: stage.billed(prompt) };
}

/** What was served before stays, whatever the disk does. */
async function expectServed(stage: Stage, gateway: GatewayProcess, served: readonly Try[]): Promise<void> {
  for (const { prompt } of served) {
    expect([prompt, (await send(gateway, 'deployment', prompt, prompt).reply).status]).toEqual([prompt, 200]);
    expect(stage.billed(prompt)).toBe(1);
  }
}

test.concurrent('a full database: calls are refused before they are sent, and what was served stays', async () => {
  await using stage = await startStage();
  const gateway = await stage.startGateway({ maxPages: 24 });
  const { served, refused } = await untilRefused(gateway);
  expect(served.length).toBeGreaterThan(0);
  expect(refusal(stage, refused)).toEqual({ status: 503, code: 'storage_full', retry: 'false', billed: 0 });
  await gateway.kill();
  const next = await stage.startGateway();
  await expectServed(stage, next, [...served, refused]);
});

test.concurrent('too little room for an image: a call with a key is refused before it is sent', async () => {
  await using stage = await startStage();
  const gateway = await stage.startGateway({ freeBytes: 1_000_000 });
  const { refused } = await untilRefused(gateway);
  expect(refusal(stage, refused)).toEqual({ status: 503, code: 'storage_full', retry: 'false', billed: 0 });
  expect((await send(gateway, 'deployment', 'a dog', undefined).reply).status).toBe(200);
});

test.concurrent('a disk that takes no more: images that were paid for are delivered, and then nothing is bought any more', async () => {
  await using stage = await startStage();
  // Room for the empty database, and for no image of a megabyte.
  const gateway = await stage.startGateway({}, 800);
  const { served, refused } = await untilRefused(gateway, 'simulate:big-1');
  expect(served.length).toBeGreaterThan(0);
  expect(served.filter(({ reply }) => !reply.isWhole || reply.body.length < 1_000_000)).toEqual([]);
  expect(refusal(stage, refused)).toMatchObject({ status: 503, billed: 0 });
  expect(served.map(({ prompt }) => stage.billed(prompt))).toEqual(served.map(() => 1));
});

test.concurrent('an end that cannot be recorded is recorded later, and its response was delivered at once', async () => {
  await using stage = await startStage();
  const gateway = await stage.startGateway({ failedFinishes: 2 });
  await gateway.stopAt('finished');
  const first = await send(gateway, 'deployment', 'a cat', 'key').reply;
  const joined = await send(gateway, 'deployment', 'a cat', 'key').reply;
  expect([first.status, joined.status]).toEqual([200, 200]);
  await gateway.reached('finished');
  await gateway.kill();
  const replay = await send(await stage.startGateway(), 'deployment', 'a cat', 'key').reply;
  for (const reply of [joined, replay]) expect(reply.body.equals(first.body)).toBe(true);
  expect(stage.billed('a cat')).toBe(1);
});
