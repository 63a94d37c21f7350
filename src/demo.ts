import { loadDotEnv } from './config/environment.ts';
import { describeStartFailure, readConfiguration, runGateway } from './run-gateway.ts';
import { startSimulator } from './simulator/start-simulator.ts';

// The gateway in front of a simulated Azure, in one process: everything works, and nothing costs money.

const key = 'demo-key';
const simulatorPort = 8867;

try {
  const configuration = readConfiguration({
    LOG_PRETTY: 'true',
    ...loadDotEnv(),
    MODELS_FILE: 'config/models.demo.json',
    GATEWAY_API_KEYS: key,
    SIMULATOR_URL: `http://127.0.0.1:${simulatorPort}`,
    SIMULATOR_KEY: 'simulator-key',
  });
  const simulator = await startSimulator({ port: simulatorPort });
  await runGateway(configuration);
  process.stdout.write(introduction(configuration.environment.port, simulator.origin));
} catch (error) {
  process.stderr.write(describeStartFailure(error));
  process.exit(1);
}

function introduction(port: number, simulator: string): string {
  const body = '{"model":"azure-image","prompt":"A cute cate","n":1,"size":"1024x1024"}';
  return `
The gateway listens on http://localhost:${port}; the key is ${key}. Try:

  curl http://localhost:${port}/v1/images/generations -H "Content-Type: application/json" -H "Authorization: Bearer ${key}" -d '${body}'

The same, as a picture in cat.png:

  curl -s http://localhost:${port}/v1/images/generations -H "Content-Type: application/json" -H "Authorization: Bearer ${key}" -d '${body}' | node -e 'process.stdin.toArray().then(([...c]) => fs.writeFileSync("cat.png", Buffer.from(JSON.parse(Buffer.concat(c)).data[0].b64_json, "base64")))'

The models: curl http://localhost:${port}/v1/models -H "Authorization: Bearer ${key}"
To see a failure, put "simulate:429-seconds" into a prompt; all scenarios: ${simulator}/simulator/scenarios
Ctrl-C ends both.
`;
}
