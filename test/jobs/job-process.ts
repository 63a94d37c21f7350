import { createInterface } from 'node:readline';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import type { JobLease } from '../../src/domain/job-store.ts';
import { createJobStore } from '../storage/sql/create-job-store.ts';

// A process with a job store, which does what the lines of its standard input say, and prints what comes of each.

const [directory, validMs = '8000', renewEveryMs = '2000'] = process.argv.slice(2);
const store = await createJobStore({
  directory,
  keepMs: 86_400_000,
  rejoinMs: 600_000,
  orphanMs: 60_000,
  fingerprintVersion: 1,
  lease: { validMs: Number(validMs), renewEveryMs: Number(renewEveryMs) },
});
const common = { consumer: 'one', operation: 'generate', model: 'poster', count: 1, fingerprint: 'equal' } as const;
const claim = (key: string) => store.claim({ ...common, key, rejoinMs: 0, mayRepeat: false, isRetrievable: true });
const attempt = { leg: 0, target: 't', state: 'dispatched', images: ['image-1'], asked: {} } as const;
const report = { model: 'poster', target: 't', provider: 'p', asked: {}, adaptations: [], attempts: 1, sent: true };
const response = { report: { ...report, maxRetries: 1, timeoutMs: 1_000 }, delivery: 'url', events: [] } as const;
let lease: JobLease | undefined;

const commands: Readonly<Record<string, (argument: string) => Promise<unknown>>> = {
  /** The keys, counted from 0, that this process gets. */
  async race(count) {
    const keys = Array.from({ length: Number(count) }, (_, at) => at);
    const claimed = await Promise.all(keys.map((key) => claim(`key ${key}`)));
    return keys.filter((key) => claimed[key]?.kind === 'new');
  },
  async send(key) {
    const claimed = await claim(key);
    if (claimed.kind !== 'new') return claimed.kind;
    lease = claimed.lease;
    await store.dispatch(lease, [attempt], false);
    return 'sent';
  },
  async dispatch() {
    await store.dispatch(lease as JobLease, [attempt, attempt], true);
    return 'sent';
  },
  async finish() {
    await store.finish(lease as JobLease, { name: 'done', response });
    return 'finished';
  },
};

process.stdout.write('"ready"\n');
for await (const line of createInterface({ input: process.stdin })) {
  const [name = '', argument = ''] = line.split('=');
  const result = await commands[name]?.(argument).catch((error) => {
    return error instanceof GatewayError ? error.kind : String(error);
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
await store.close();
