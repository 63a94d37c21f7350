import { expect, test } from 'vitest';
import type { GatewayProcess } from './matrix/gateway-process.ts';
import type { Reply } from './matrix/keyed-client.ts';
import { send } from './matrix/stage.ts';
import { useBundle } from './matrix/use-bundle.ts';

const { startStage } = useBundle();

const restarts = 20;
const clients = 10;

test('20 rolling restarts on one DATA_DIR under clients with keys that retry: each key is billed once, and has one response', async () => {
  await using stage = await startStage();
  let current = await stage.startGateway();
  let isOver = false;
  const wrong: string[] = [];
  const prompts: string[] = [];
  /** As a client does that is never told that its request has failed. */
  const persist = async (prompt: string): Promise<Reply> => {
    for (;;) {
      const reply = await send(current, 'deployment', prompt, prompt).reply;
      if (reply.isWhole && reply.status < 500) return reply;
    }
  };
  const running = Array.from({ length: clients }, async (_, client) => {
    for (let call = 0; !isOver; call += 1) {
      const prompt = `a cat, ${client}-${call}`;
      prompts.push(prompt);
      // Two connections of one client: perhaps to two gateways.
      const [one, other] = await Promise.all([persist(prompt), persist(prompt)]);
      const later = await persist(prompt);
      const areEqual = one.body.equals(other.body) && one.body.equals(later.body);
      if (one.status !== 200 || !areEqual) wrong.push(`${prompt}: ${one.status}`);
    }
  });
  const ended: GatewayProcess[] = [];
  for (let restart = 0; restart < restarts; restart += 1) {
    const next = await stage.startGateway();
    const former = current;
    current = next;
    former.signal('SIGTERM');
    ended.push(former);
  }
  isOver = true;
  await Promise.all(running);
  expect(wrong).toEqual([]);
  expect(prompts.filter((prompt) => stage.billed(prompt) !== 1)).toEqual([]);
  expect(await Promise.all(ended.map((gateway) => gateway.exit()))).toEqual(ended.map(() => 0));
});
