import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { dataDirOf } from './matrix/gateway-process.ts';
import { ask, codeOf, type Reply } from './matrix/keyed-client.ts';
import { callOf, heldInBody } from './matrix/modes.ts';
import { type Stage, send } from './matrix/stage.ts';
import { useBundle } from './matrix/use-bundle.ts';

const { startStage } = useBundle();

/** Of two calls of a request, one has brought its image when the gateway is killed. Then the key gets this. */
async function afterHalf(stage: Stage): Promise<Reply[]> {
  const gateway = await stage.startGateway();
  stage.relay.hold({ ...heldInBody('fan-out'), atMost: 1 });
  send(gateway, 'fan-out', 'a cat', 'key');
  const images = join(dataDirOf(stage.program.directory), 'images');
  while ((await readdir(images)).length === 0) await wait(20);
  await gateway.kill();
  stage.relay.release();
  const next = await stage.startGateway();
  return [await send(next, 'fan-out', 'a cat', 'key').reply, await send(next, 'fan-out', 'a cat', 'key').reply];
}

test.concurrent('killed when one of two images is stored: the outcome is unknown, and neither is bought again', async () => {
  await using stage = await startStage();
  const replies = await afterHalf(stage);
  expect(replies.map(codeOf)).toEqual(['upstream_outcome_unknown', 'upstream_outcome_unknown']);
  expect(stage.billed('a cat')).toBe(2);
});

test.concurrent('killed when one of two images is stored: where a part may be delivered, that one is', async () => {
  await using stage = await startStage({ keys: { partialSuccess: 'deliver' } });
  const [first, second] = await afterHalf(stage);
  expect([first?.status, second?.body.equals(first?.body ?? Buffer.alloc(0))]).toEqual([200, true]);
  expect(JSON.parse(String(first?.body)).data).toHaveLength(1);
  expect(stage.billed('a cat')).toBe(2);
});

test.concurrent('links outlast a kill: the same file is found under the same path', async () => {
  await using stage = await startStage();
  const gateway = await stage.startGateway();
  const call = callOf('deployment', 'a cat');
  const body = Buffer.from(JSON.stringify({ ...JSON.parse(String(call.body)), response_format: 'url' }));
  const linked = async (url: string) => {
    const reply = await ask(url, { ...call, body }, { 'idempotency-key': 'key' }).reply;
    const link = new URL(JSON.parse(String(reply.body)).data[0].url);
    const image = await fetch(`${url}${link.pathname}`);
    return { path: link.pathname, status: image.status, bytes: Buffer.from(await image.arrayBuffer()) };
  };
  const before = await linked(gateway.url);
  await gateway.kill();
  const after = await linked((await stage.startGateway()).url);
  expect([before.status, after.status, after.path]).toEqual([200, 200, before.path]);
  expect(after.bytes.equals(before.bytes)).toBe(true);
  expect(stage.billed('a cat')).toBe(1);
});
