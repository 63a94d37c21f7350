import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { test } from 'vitest';
import { codeOf, type Reply } from '../crash/matrix/keyed-client.ts';
import { heldAfterSending } from '../crash/matrix/modes.ts';
import { send } from '../crash/matrix/stage.ts';
import { useBundle } from '../crash/matrix/use-bundle.ts';
import { startPostgres } from './engines/postgres.ts';
import { Replicas } from './replicas.ts';

const program = useBundle();

/** A relay to the database that can fall silent. */
async function startSilenceable(port: number) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    if (isSilent) return;
    client.pipe(upstream);
    upstream.pipe(client);
  }).listen(0, '127.0.0.1');
  let isSilent = false;
  await once(server, 'listening');
  const { port: own } = server.address() as { port: number };
  return {
    port: own,
    fallSilent() {
      isSilent = true;
      for (const socket of sockets) socket.unpipe().pause();
    },
    speak() {
      isSilent = false;
      for (const socket of sockets) socket.destroy();
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

const unavailable = { status: 503, code: 'store_unavailable', retried: 'false' };

function told(reply: Reply) {
  return { status: reply.status, code: codeOf(reply), retried: reply.headers['x-should-retry'] };
}

test.concurrent('while the database is away nothing is sent, and what runs is delivered and recorded later', async ({
  expect,
}) => {
  await using server = await startPostgres();
  await using replicas = await Replicas.prepare(program.entry, { jobsUrl: server.url });
  const [one, other] = await Promise.all([replicas.start(), replicas.start()]);
  replicas.relay.hold({ ...heldAfterSending, atMost: 1 });
  const running = send(one, 'deployment', 'a cat', 'key');
  await replicas.relay.holds(1);
  await server.kill();
  for (const key of ['other', undefined]) {
    expect(told(await send(one, 'deployment', 'a dog', key).reply)).toEqual(unavailable);
  }
  replicas.relay.release();
  const first = await running.reply;
  expect(first).toMatchObject({ status: 200, isWhole: true });
  await server.restart();
  await expect.poll(async () => (await send(other, 'deployment', 'a dog', 'other').reply).status).toBe(200);
  // Its owner lives, and tells how it has ended as soon as it can.
  const again = await send(other, 'deployment', 'a cat', 'key').reply;
  expect([again.status, again.headers['idempotent-replayed'] ?? 'joined']).toEqual([200, expect.any(String)]);
  expect(again.body.equals(first.body)).toBe(true);
  expect([replicas.billed('a cat'), replicas.billed('a dog')]).toEqual([1, 1]);
});

test.concurrent('a database that says nothing for long is like one that is away', async ({ expect }) => {
  await using server = await startPostgres();
  using relay = await startSilenceable(server.port);
  const url = new URL(server.url);
  url.port = String(relay.port);
  await using replicas = await Replicas.prepare(program.entry, { jobsUrl: url.href });
  const gateway = await replicas.start();
  relay.fallSilent();
  expect(told(await send(gateway, 'deployment', 'a cat', 'key').reply)).toEqual(unavailable);
  expect(replicas.billed('a cat')).toBe(0);
  relay.speak();
  await expect.poll(async () => (await send(gateway, 'deployment', 'a cat', 'key').reply).status).toBe(200);
  expect(replicas.billed('a cat')).toBe(1);
});

test.concurrent('a database that is killed and starts again, again and again: each key is billed once, and has one response', async ({
  expect,
}) => {
  await using server = await startPostgres();
  await using replicas = await Replicas.prepare(program.entry, { jobsUrl: server.url });
  // However busy the machine is, no gateway is taken for dead here.
  const stores = { lease: { validMs: 60_000, renewEveryMs: 1_000 } };
  const gateways = await Promise.all([replicas.start({ stores }), replicas.start({ stores })]);
  let isOver = false;
  const wrong: string[] = [];
  const prompts: string[] = [];
  /** As a client does that is never told that its request has failed. */
  const persist = async (prompt: string, at: number): Promise<Reply> => {
    for (let turn = at; ; turn += 1) {
      const gateway = gateways[turn % 2] as (typeof gateways)[number];
      const reply = await send(gateway, 'deployment', prompt, prompt).reply;
      if (reply.isWhole && reply.status < 500) return reply;
      if (codeOf(reply) === 'upstream_outcome_unknown') return reply;
    }
  };
  const running = Array.from({ length: 6 }, async (_, client) => {
    for (let call = 0; !isOver; call += 1) {
      const prompt = `a cat, ${client}-${call}`;
      prompts.push(prompt);
      const [one, other] = await Promise.all([persist(prompt, 0), persist(prompt, 1)]);
      if (one.status !== 200 || !one.body.equals(other.body)) wrong.push(`${prompt}: ${one.status} ${other.status}`);
    }
  });
  for (let failover = 0; failover < 4; failover += 1) {
    const before = prompts.length;
    await expect.poll(() => prompts.length).toBeGreaterThan(before + 20);
    await server.kill();
    await server.restart();
  }
  isOver = true;
  await Promise.all(running);
  expect(wrong).toEqual([]);
  expect(prompts.filter((prompt) => replicas.billed(prompt) !== 1)).toEqual([]);
});

test.concurrent('a database that is full: nothing is sent, and that is said', async ({ expect }) => {
  await using server = await startPostgres();
  await using replicas = await Replicas.prepare(program.entry, { jobsUrl: server.url });
  const gateway = await replicas.start();
  await server.query(`
    create function refuse() returns trigger language plpgsql as
      $$ begin raise exception using errcode = '53100', message = 'could not extend file: No space left on device'; end $$;
    create trigger full_disk before insert on jobs for each row execute function refuse()`);
  const reply = await send(gateway, 'deployment', 'a cat', 'key').reply;
  expect(told(reply)).toEqual({ status: 503, code: 'storage_full', retried: 'false' });
  expect(replicas.billed('a cat')).toBe(0);
  await server.query('drop trigger full_disk on jobs');
  expect(await send(gateway, 'deployment', 'a cat', 'key').reply).toMatchObject({ status: 200 });
});

test.concurrent('a gateway whose database is away does not start, and says why in one sentence', async ({ expect }) => {
  await using server = await startPostgres();
  await server.kill();
  await using replicas = await Replicas.prepare(program.entry, { jobsUrl: server.url });
  await expect(replicas.start()).rejects.toThrow(
    new RegExp(`^Error: JOBS_URL cannot be used \\(127\\.0\\.0\\.1:${server.port}\\): connect ECONNREFUSED.*\\n$`),
  );
});

test.concurrent('a password that is wrong is not shown', async ({ expect }) => {
  await using server = await startPostgres({ password: 'right' });
  const url = new URL(server.url);
  url.password = 'wrong-and-secret';
  await using replicas = await Replicas.prepare(program.entry, { jobsUrl: url.href });
  const failure = await replicas.start().catch(String);
  expect(failure).toContain('password authentication failed for user "gateway" (28P01)');
  expect(failure).not.toContain('wrong-and-secret');
  await using others = await Replicas.prepare(program.entry, { jobsUrl: server.url });
  const gateway = await others.start();
  expect(await send(gateway, 'deployment', 'a cat', 'key').reply).toMatchObject({ status: 200 });
});

test.concurrent('tables of a newer version are used where that says that they can be, and are else refused', async ({
  expect,
}) => {
  await using server = await startPostgres();
  await using replicas = await Replicas.prepare(program.entry, { jobsUrl: server.url });
  const gateway = await replicas.start();
  await server.query('update gateway_schema set version = 99');
  await server.query("alter table jobs add column something_new text not null default ''");
  const next = await replicas.start();
  expect(await send(gateway, 'deployment', 'a cat', 'key').reply).toMatchObject({ status: 200 });
  expect(await send(next, 'deployment', 'a cat', 'key').reply).toMatchObject({ status: 200 });
  await server.query('update gateway_schema set compatible = 99');
  await expect(replicas.start()).rejects.toThrow('was used by a newer version of the gateway');
});

test.concurrent('a database that forgets what it has acknowledged is refused', async ({ expect }) => {
  await using server = await startPostgres({ settings: ['synchronous_commit=off'] });
  await using replicas = await Replicas.prepare(program.entry, { jobsUrl: server.url });
  await expect(replicas.start()).rejects.toThrow('synchronous_commit = off');
});
