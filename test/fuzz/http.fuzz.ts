import { setTimeout as wait } from 'node:timers/promises';
import { expect, test, vi } from 'vitest';
import { Dice } from './dice.ts';
import { type FuzzedGateway, fuzzKey, maxGrowth, startFuzzed } from './fuzzed-gateway.ts';
import { readResponses } from './http-responses.ts';
import { judge } from './judge-response.ts';
import { type Exchange, exchange } from './raw-exchange.ts';
import { type RawInput, rawInput } from './raw-input.ts';
import { count, seed } from './settings.ts';
import { Tally } from './tally.ts';

vi.mock('../../simulator/draw-image.ts', () => import('./quick-images.ts'));

const atOnce = 64;
const batch = 500;

test(`${count} raw inputs, seed ${seed}: each gets a proper response or its connection is closed, and none is paid for and refused`, async () => {
  const gateway = await startFuzzed();
  const tally = new Tally();
  // Caches, pools and compiled code are there after these.
  for (let first = 0; first < batch * 2; first += batch) await tryBatch(gateway, count + first, batch, new Tally());
  const before = gateway.residentBytes();
  for (let first = 0; first < count; first += batch) {
    await tryBatch(gateway, first, Math.min(batch, count - first), tally);
  }
  const growth = gateway.residentBytes() - before;
  expect(growth).toBeLessThan(maxGrowth);
  await expectAlive(gateway);
  tally.print('raw inputs', growth);
  // Inputs that are all refused for one reason would test nothing.
  expect(tally.names()).toEqual(
    expect.arrayContaining(['200', '400', '401', '404', '405', '413', '415', '417', '431']),
  );
});

async function tryBatch(gateway: FuzzedGateway, first: number, size: number, tally: Tally): Promise<void> {
  const refusedMarks = new Set<string>();
  const underWay = new Set<number>();
  let next = first;
  const worker = async () => {
    while (next < first + size) {
      const index = next;
      next += 1;
      const mark = `raw ${index}.`;
      const input = rawInput(new Dice(seed, index), mark);
      underWay.add(index);
      const seen = await exchange(gateway.port, input);
      const { problem, isRefused } = judgeExchange(input, seen, tally);
      if (problem !== '') expect.fail(`${problem}${await gateway.lastWords(underWay)}\n${shown(index, input, seen)}`);
      underWay.delete(index);
      if (isRefused) refusedMarks.add(mark);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  expect(gateway.complaints()).toEqual([]);
  expect(gateway.program.child.exitCode).toBeNull();
  expect(gateway.received().filter((prompt) => refusedMarks.has(prompt))).toEqual([]);
}

/** `isRefused`: there was at least one response, all that were owed are there, and each of them is a refusal. */
function judgeExchange(
  input: RawInput,
  { text, end }: Exchange,
  tally: Tally,
): { problem: string; isRefused: boolean } {
  const { responses, rest } = readResponses(text, input.bytes.includes('HEAD '));
  for (const { status } of responses) tally.note(String(status));
  if (responses.length === 0) tally.note(`none, ${end}`);
  const isRefused = end === 'closed' && responses.length > 0 && responses.every(({ status }) => status >= 400);
  if (end === 'hangs') return { problem: 'the connection hangs', isRefused };
  // We may have left while a response was on its way.
  if (rest !== '' && !(end === 'disconnected' && rest.startsWith('HTTP/1.1 '))) {
    return { problem: `what is no response: ${rest.slice(0, 300)}`, isRefused };
  }
  // A response may end its connection, as those to damaged JSON do.
  const isLast = responses.at(-1)?.headers.get('connection') === 'close';
  if (input.owed !== undefined && responses.length !== input.owed && !isLast) {
    return { problem: `${responses.length} responses instead of ${input.owed}`, isRefused };
  }
  const problems = responses.map(({ status, headers, body }) =>
    judge(
      { status, body, type: headers.get('content-type') ?? '', isAzures: headers.has('x-ms-error-code') },
      body === '',
    ),
  );
  return { problem: problems.find((problem) => problem !== '') ?? '', isRefused };
}

function shown(index: number, { kind, bytes }: RawInput, { text, end }: Exchange): string {
  const input = JSON.stringify(bytes.toString('latin1').slice(0, 3_000));
  return `seed ${seed}, input ${index} (${kind}): ${input}\n${end}: ${JSON.stringify(text.slice(0, 1_000))}`;
}

async function expectAlive({ url, program }: FuzzedGateway): Promise<void> {
  await wait(200);
  const headers = { authorization: `Bearer ${fuzzKey}`, 'content-type': 'application/json' };
  const body = JSON.stringify({ prompt: 'the last cat' });
  const response = await fetch(`${url}/v1/images/generations`, { method: 'POST', headers, body });
  expect([response.status, program.child.exitCode]).toEqual([200, null]);
  await response.text();
  const metrics = await (await fetch(`${url}/metrics`, { headers })).text();
  // This one itself.
  expect(/^gateway_requests_in_flight (\d+)$/m.exec(metrics)?.[1]).toBe('1');
}
