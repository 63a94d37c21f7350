import { readJobsUrl } from '../../src/config/jobs-url.ts';
import type { PostgresSettings } from '../../src/domain/postgres-settings.ts';
import { createPostgresJobStore } from '../../src/storage/postgres/postgres-job-store.ts';

// A process that records jobs in a database, as a gateway does for a request with a key, for as long as its parent says.

const atOnce = 16;

const hour = 3_600_000;
const database = readJobsUrl(process.argv[2] ?? '', (problem) => {
  throw new Error(problem);
}) as PostgresSettings;
const store = await createPostgresJobStore({ database, fingerprintVersion: 1, keepMs: hour, rejoinMs: 0, orphanMs: 0 });

const claim = { consumer: 'one', operation: 'generate', model: 'poster', count: 1, rejoinMs: 0 } as const;
const attempt = { leg: 0, target: 't', state: 'dispatched', images: ['image'], asked: { size: '1024x1024' } } as const;
const report = {
  model: 'poster',
  target: 't',
  provider: 'p',
  asked: {},
  adaptations: [],
  attempts: 1,
  sent: true,
} as const;
const response = { report: { ...report, maxRetries: 1, timeoutMs: 1_000 }, delivery: 'b64_json', events: [] } as const;

let jobs = 0;

async function run(until: number): Promise<void> {
  while (performance.now() < until) {
    const key = `${process.pid} ${jobs} ${Math.random()}`;
    const claimed = await store.claim({ ...claim, fingerprint: key, key, mayRepeat: false, isRetrievable: true });
    if (claimed.kind !== 'new') throw new Error(`a new key has found a job: ${claimed.kind}`);
    await store.dispatch(claimed.lease, [attempt], false);
    await store.finish(claimed.lease, { name: 'done', response });
    jobs += 1;
  }
}

process.once('message', async (ms) => {
  const until = performance.now() + Number(ms);
  await Promise.all(Array.from({ length: atOnce }, () => run(until)));
  process.send?.(jobs);
  await store.close();
  process.disconnect();
});
process.send?.('ready');
