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

// Its hash is in config/keys.demo.json: GATEWAY_API_KEYS would refuse a key this short beyond loopback.
const key = 'demo-key';

async function runDemo(): Promise<void> {
  const environment = loadDotEnv();
  const variables: Variables = {
    ...environment,
    LOG_PRETTY: environment.LOG_PRETTY || 'true',
    GATEWAY_API_KEYS: '',
    KEYS_FILE: 'config/keys.demo.json',
  };
  // The simulator listens on the gateway's host, so that a container can publish both.
  const { host, port: gatewayPort } = readEnvironment(variables);
  // PORT=0 lets several demos run at once, so the simulator needs a free port, too.
  const address = URL.parse(variables.SIMULATOR_URL || `http://127.0.0.1:${gatewayPort === 0 ? 0 : 8867}`);
  if (!address) throw new Error('SIMULATOR_URL must be an address, such as http://127.0.0.1:8867');
  const { startSimulator } = await loadSimulator();
  const simulator = await dependingOn('SIMULATOR_URL', () =>
    startSimulator({ host, port: Number(address.port), projectKeys: true }),
  );
  const azure = simulator.origin.replace('//0.0.0.0', '//127.0.0.1').replace('//[::]', '//[::1]');
  try {
    const configuration = readConfiguration({
      ...variables,
      MODELS_FILE: 'config/models.demo.json',
      SIMULATOR_URL: azure,
      SIMULATOR_KEY: simulator.apiKey,
    });
    // The simulator draws SVG with the package that the gateway would keep from it.
    const gateway = await runGateway(configuration, { sharp: 'shared' });
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

Save the image as cat.png:

  ${call} -s | node -e '${save}'

List models:  curl ${gateway}/v1/models -H "Authorization: Bearer ${key}"
Failures:     add "simulate:429-seconds" to a prompt; full list: ${azure}/simulator/scenarios
Stop:         Ctrl-C
`;
}
