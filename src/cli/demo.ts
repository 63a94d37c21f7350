import { loadDotEnv, readEnvironment } from '../config/environment.ts';
import type { Variables } from '../config/interpolate.ts';
import type { Command } from './command-line.ts';
import { readConfiguration } from './configuration.ts';
import { runGateway } from './run-gateway.ts';
import { dependingOn } from './start-failure.ts';

/** The gateway in front of a simulated Azure, in one process: everything works, and nothing costs money. */
export const demo: Command = {
  name: 'demo',
  npm: 'npm run demo',
  words: '',
  about: 'Starts the gateway in front of a simulated Azure. Nothing costs money.',
  options: {},
  run: runDemo,
};

// Known by its hash, in config/keys.demo.json: a key of the environment that is so short is refused in a container.
const key = 'demo-key';

async function runDemo(): Promise<void> {
  const variables: Variables = {
    LOG_PRETTY: 'true',
    ...loadDotEnv(),
    GATEWAY_API_KEYS: '',
    KEYS_FILE: 'config/keys.demo.json',
  };
  // The simulator listens where the gateway does: a container publishes both, so that its scenarios can be read outside.
  const { host, port: gatewayPort } = readEnvironment(variables);
  // With PORT=0 several demos can run at once, so the simulator takes a free port, too.
  const address = URL.parse(variables.SIMULATOR_URL || `http://127.0.0.1:${gatewayPort === 0 ? 0 : 8867}`);
  if (!address) throw new Error('SIMULATOR_URL must be an address, such as http://127.0.0.1:8867');
  const { startSimulator } = await loadSimulator();
  const simulator = await dependingOn('SIMULATOR_URL', () => startSimulator({ host, port: Number(address.port) }));
  const azure = simulator.origin.replace('//0.0.0.0', '//127.0.0.1').replace('//[::]', '//[::1]');
  try {
    const configuration = readConfiguration({
      ...variables,
      MODELS_FILE: 'config/models.demo.json',
      SIMULATOR_URL: azure,
      SIMULATOR_KEY: simulator.apiKey,
    });
    const gateway = await runGateway(configuration);
    process.stdout.write(introduction(gateway.replace('//127.0.0.1', '//localhost'), azure));
  } catch (error) {
    await simulator.close();
    throw error;
  }
}

/** Loaded only here: the bundle for production does not contain the simulator. */
async function loadSimulator() {
  try {
    return await import('../../simulator/start-simulator.ts');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error(
      'the simulator is not part of this build: in a checkout of the repository run npm ci && npm run demo',
    );
  }
}

function introduction(gateway: string, azure: string): string {
  const body = '{"model":"azure-image","prompt":"A cute cate","n":1,"size":"1024x1024"}';
  const call = `curl ${gateway}/v1/images/generations -H "Content-Type: application/json" -H "Authorization: Bearer ${key}" -d '${body}'`;
  const save = `const { data } = JSON.parse(fs.readFileSync(0)); fs.writeFileSync("cat.png", data[0].b64_json, "base64")`;
  return `
The gateway listens on ${gateway}; the key is ${key}. Try:

  ${call}

The same, as an image in cat.png:

  ${call} -s | node -e '${save}'

The models:   curl ${gateway}/v1/models -H "Authorization: Bearer ${key}"
Failures:     put "simulate:429-seconds" into a prompt; the whole list: ${azure}/simulator/scenarios
The end:      Ctrl-C ends the gateway and the simulated Azure
`;
}
