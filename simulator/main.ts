import { parseArgs } from 'node:util';
import { tokenPath } from './managed-identity.ts';
import { parseQuota } from './quota.ts';
import { startSimulator } from './start-simulator.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8867' },
    key: { type: 'string', default: 'simulator-key' },
    quota: { type: 'string', multiple: true, default: [] },
    'project-keys': { type: 'boolean', default: false },
  },
});

const simulator = await startSimulator({
  host: values.host,
  port: Number(values.port),
  apiKey: values.key,
  quotas: values.quota.map(parseQuota),
  projectKeys: values['project-keys'],
});
const { origin } = simulator;
process.stdout.write(
  `Simulated Azure listens on ${origin}; scenarios: ${origin}/simulator/scenarios, tokens: ${origin}${tokenPath}\n`,
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void simulator.close());
}
