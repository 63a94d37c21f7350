import { parseArgs } from 'node:util';
import { tokenPath } from './managed-identity.ts';
import { startSimulator } from './start-simulator.ts';

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '8867' },
    key: { type: 'string', default: 'simulator-key' },
  },
});

const simulator = await startSimulator({ host: values.host, port: Number(values.port), apiKey: values.key });
const { origin } = simulator;
process.stdout.write(
  `Simulated Azure listens on ${origin}; scenarios: ${origin}/simulator/scenarios, tokens: ${origin}${tokenPath}\n`,
);

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.once(signal, () => void simulator.close());
}
