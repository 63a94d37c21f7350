import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { dataDirOf } from './matrix/gateway-process.ts';
import { codeOf } from './matrix/keyed-client.ts';
import { send } from './matrix/stage.ts';
import { useBundle } from './matrix/use-bundle.ts';

const { startStage } = useBundle();

test.concurrent('DATA_DIR is removed under the gateway: nothing is bought without a record, and the next one starts anew', async () => {
  await using stage = await startStage();
  const gateway = await stage.startGateway();
  expect((await send(gateway, 'deployment', 'a cat', 'key').reply).status).toBe(200);
  await rm(dataDirOf(stage.program.directory), { recursive: true });
  for (const key of ['other', undefined]) {
    const reply = await send(gateway, 'deployment', 'a dog', key).reply;
    expect([reply.status, codeOf(reply), stage.billed('a dog')]).toEqual([503, 'store_unavailable', 0]);
  }
  await gateway.kill();
  const next = await stage.startGateway();
  expect((await send(next, 'deployment', 'a dog', 'other').reply).status).toBe(200);
});

const damaged = 'jobs.sqlite in DATA_DIR is damaged or is no database: restore it, or choose another DATA_DIR';

const unusable: readonly (readonly [what: string, put: (file: string) => unknown, sentence: RegExp])[] = [
  ['a directory', (file) => mkdir(file), /jobs\.sqlite in DATA_DIR/],
  ['a FIFO', (file) => promisify(execFile)('mkfifo', [file]), /jobs\.sqlite in DATA_DIR/],
  ['a text', (file) => writeFile(file, 'no database '.repeat(1_000)), new RegExp(damaged)],
  ['of a newer version', (file) => write(file, 'pragma user_version = 99'), /DATA_DIR was used by a newer version/],
  ['of another program', (file) => write(file, 'create table notes (text)'), /is not a job store/],
];

function write(file: string, sql: string): void {
  const database = new DatabaseSync(file);
  database.exec(sql);
  database.close();
}

test.concurrent.each(unusable)(
  'jobs.sqlite is %s: the start is refused with one sentence',
  async (_, put, sentence) => {
    await using stage = await startStage();
    const directory = dataDirOf(stage.program.directory);
    const file = join(directory, 'jobs.sqlite');
    await mkdir(directory, { recursive: true });
    await put(file);
    const message = await stage.startGateway().then(
      () => 'it has started',
      (error: Error) => error.message,
    );
    expect(message).toMatch(sentence);
    expect(message.trimEnd().split('\n')).toHaveLength(1);
  },
);

test.concurrent('a damaged jobs.sqlite: the start is refused, and the file stays as it is', async () => {
  await using stage = await startStage();
  const gateway = await stage.startGateway();
  expect((await send(gateway, 'deployment', 'a cat', 'key').reply).status).toBe(200);
  gateway.signal('SIGINT');
  await gateway.exit();
  const file = join(dataDirOf(stage.program.directory), 'jobs.sqlite');
  const bytes = await readFile(file);
  bytes.fill(7, 0, 8_192);
  await writeFile(file, bytes);
  await expect(stage.startGateway()).rejects.toThrow(damaged);
  expect((await readFile(file)).equals(bytes)).toBe(true);
});

test.concurrent.each([25, -25])(
  'the wall clock is set by %i hours while no gateway runs: keys keep their responses',
  async (hours) => {
    await using stage = await startStage();
    const gateway = await stage.startGateway();
    const first = await send(gateway, 'deployment', 'a cat', 'key').reply;
    await gateway.stopAt('dispatched');
    send(gateway, 'deployment', 'a dog', 'other');
    await gateway.reached('dispatched');
    await gateway.kill();
    const next = await stage.startGateway({ clockOffsetMs: hours * 3_600_000 });
    const replay = await send(next, 'deployment', 'a cat', 'key').reply;
    expect([replay.status, replay.body.equals(first.body)]).toEqual([200, true]);
    expect(codeOf(await send(next, 'deployment', 'a dog', 'other').reply)).toBe('upstream_outcome_unknown');
    expect([stage.billed('a cat'), stage.billed('a dog')]).toEqual([1, 0]);
  },
);

test.concurrent('a slow disk: 16 jobs at once are billed once each, and survive a kill', async () => {
  await using stage = await startStage();
  const slow = { delayMs: 50 };
  const gateway = await stage.startGateway(slow);
  const prompts = Array.from({ length: 16 }, (_, number) => `a cat, the ${number}th`);
  const ask = (to: typeof gateway) =>
    Promise.all(prompts.map((prompt) => send(to, 'deployment', prompt, prompt).reply));
  const firsts = await ask(gateway);
  await gateway.kill();
  const replays = await ask(await stage.startGateway(slow));
  expect(firsts.map(({ status }) => status)).toEqual(prompts.map(() => 200));
  expect(replays.map(({ body }, number) => firsts[number]?.body.equals(body))).toEqual(prompts.map(() => true));
  expect(prompts.map((prompt) => stage.billed(prompt))).toEqual(prompts.map(() => 1));
});
