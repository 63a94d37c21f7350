import fc from 'fast-check';
import { Agent } from 'undici';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type FuzzedBody, fuzzedBody } from './fuzzed-body.ts';
import { type FuzzedGateway, fuzzKey, maxGrowth, startFuzzed } from './fuzzed-gateway.ts';
import { judge } from './judge-response.ts';
import { count, seed } from './settings.ts';
import { Tally } from './tally.ts';

vi.mock('../../simulator/draw-image.ts', () => import('./quick-images.ts'));

const atOnce = 64;
const batch = 1_000;

test(`${count} bodies, seed ${seed}: each gets a proper response, and none is paid for and refused`, async () => {
  const gateway = await startFuzzed();
  const agent = new Agent({ connections: atOnce });
  onTestFinished(() => agent.destroy());
  const tally = new Tally();
  for (let first = 0; first < batch; first += batch) await tryBatch(gateway, agent, -1 - first, new Tally(), batch);
  const before = gateway.residentBytes();
  for (let first = 0; first < count; first += batch) {
    await tryBatch(gateway, agent, first, tally, Math.min(batch, count - first));
  }
  const growth = gateway.residentBytes() - before;
  expect(growth).toBeLessThan(maxGrowth);
  tally.print('bodies', growth);
  // Bodies that are all refused, or all taken, would test little.
  for (const name of ['200', '400']) expect(tally.of(name)).toBeGreaterThan(count / 10);
});

/** `first` distinguishes batches: each has a seed of its own. */
async function tryBatch(
  gateway: FuzzedGateway,
  agent: Agent,
  first: number,
  tally: Tally,
  size: number,
): Promise<void> {
  const bodies = fc.sample(fuzzedBody, { numRuns: size, seed: seed + first });
  const refused = new Set<string>();
  const unsent = new Set<string>();
  const received: string[] = [];
  const billed: string[] = [];
  const underWay = new Set<number>();
  let next = 0;
  const worker = async () => {
    while (next < size) {
      const index = next;
      next += 1;
      const mark = `body ${first + index}.`;
      const body = bodies[index] as FuzzedBody;
      underWay.add(first + index);
      const { status, hasStarted, problem } = await tryBody(gateway, agent, body, mark).catch(noResponse);
      if (problem !== '') expect.fail(`${problem}${await gateway.lastWords(underWay)}\n${shown(first + index, body)}`);
      underWay.delete(first + index);
      tally.note(String(status));
      // Often, because the simulator remembers the newest ones only.
      received.push(...gateway.received());
      billed.push(...gateway.billed());
      if (status >= 400) refused.add(mark);
      if (status >= 400 && !hasStarted) unsent.add(mark);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  expect(gateway.complaints()).toEqual([]);
  expect(gateway.program.child.exitCode).toBeNull();
  // What Azure itself refused has reached it, and is not billed.
  expect(received.filter((prompt) => unsent.has(prompt))).toEqual([]);
  expect(billed.filter((prompt) => refused.has(prompt))).toEqual([]);
}

type Tried = { readonly status: number; readonly hasStarted: boolean; readonly problem: string };

async function tryBody(
  { url }: FuzzedGateway,
  agent: Agent,
  { path, text, type }: FuzzedBody,
  mark: string,
): Promise<Tried> {
  const response = await agent.request({
    origin: url,
    path,
    method: 'POST',
    headers: { authorization: `Bearer ${fuzzKey}`, 'content-type': type },
    body: Buffer.from(text.replaceAll('@MARK@', mark), 'utf8'),
    headersTimeout: 30_000,
    bodyTimeout: 30_000,
  });
  const body = await response.body.text();
  const hasStarted = response.headers['x-gateway-attempts'] !== undefined;
  const { statusCode: status } = response;
  return { status, hasStarted, problem: judge({ status, body, type: String(response.headers['content-type'] ?? '') }) };
}

function noResponse(error: Error): Tried {
  return { status: 0, hasStarted: false, problem: `no response: ${error.message}` };
}

function shown(index: number, { path, text, type }: FuzzedBody): string {
  return `seed ${seed}, body ${index}: ${path} ${type} ${JSON.stringify(text.slice(0, 3_000))}`;
}
