import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { startOptions } from '../../bench/contestants/start-options.ts';
import { loadModels } from '../helpers/parse-models.ts';

const dockerfile = readFileSync('Dockerfile', 'utf8');
const compose = readFileSync('docker-compose.yml', 'utf8');

/** The stages in their order, each with the name that it builds on. */
const stages = dockerfile
  .split(/^(?=FROM )/m)
  .slice(1)
  .map((text) => {
    const [, base = '', name = ''] = /^FROM (\S+) AS (\S+)/.exec(text) ?? [];
    return { base, name, text };
  });

/** A stage's instructions, those of the stages that it builds on first. */
function instructionsOf(name: string): string {
  const stage = stages.find((candidate) => candidate.name === name);
  return stage === undefined ? '' : instructionsOf(stage.base) + stage.text;
}

test('every stage of the image builds on node:24-slim or on another stage', () => {
  const names = stages.map(({ name }) => name);
  expect(stages.map(({ base }) => base).filter((base) => !names.includes(base))).toEqual([
    'node:24-slim',
    'node:24-slim',
    'node:24-slim',
  ]);
});

test('the default target, which is the last one, is the gateway with production packages only', () => {
  expect(stages.at(-1)?.name).toBe('gateway');
  expect(instructionsOf('gateway')).toContain('COPY --from=packages /app/node_modules');
  expect(instructionsOf('packages')).toContain('npm ci --omit=dev --ignore-scripts');
});

test('the gateway is the built file, without any sources', () => {
  expect(instructionsOf('gateway')).toContain('COPY --from=build /app/dist dist');
  expect(instructionsOf('gateway')).not.toMatch(/^COPY .*src/m);
  expect(instructionsOf('build')).toContain('RUN npm run build');
});

test.each([
  ['gateway', ['dist/main.js']],
  ['demo', ['src/main.ts', 'demo']],
])('the target %s runs as the user node, starts Node without npm, and listens for the outside', (target, program) => {
  const instructions = instructionsOf(target);
  expect(instructions.match(/^USER .*$/gm)).toEqual(['USER node']);
  const command = ['node', ...startOptions, ...program].map((word) => `"${word}"`).join(', ');
  expect(instructions.match(/^CMD .*$/gm)).toEqual([`CMD [${command}]`]);
  expect(instructions).not.toContain('ENTRYPOINT');
  expect(instructions).toMatch(/^ENV NODE_ENV=production HOST=0\.0\.0\.0 PORT=8866$/m);
  expect(instructions).toMatch(/^EXPOSE 8866$/m);
});

test('docs/operations.md has the command for a gateway without npm and without an image', () => {
  const operations = readFileSync('docs/operations.md', 'utf8');
  expect(operations).toContain(`\`node ${startOptions.join(' ')} dist/main.js\``);
});

test('the health check asks /healthz by Node alone', () => {
  const [, json = '[]'] = /^HEALTHCHECK .*\\\n\s*CMD (\[.*\])$/m.exec(dockerfile) ?? [];
  const command: unknown = JSON.parse(json);
  expect(command).toEqual(['node', '-e', expect.stringContaining('/healthz')]);
  expect(dockerfile).not.toMatch(/curl|wget/);
});

test('compose lets a shutdown take as long as the gateway may need', () => {
  const [, grace] = /stop_grace_period: (\d+)s$/m.exec(compose) ?? [];
  const [, lead = ''] = /const leadMs = ([\d_]+);/.exec(readFileSync('src/cli/run-gateway.ts', 'utf8')) ?? [];
  const leadMs = Number(lead.replaceAll('_', ''));
  const { drainMs } = loadModels('config/models.json', {
    AZURE_OPENAI_ENDPOINT: 'https://a.test',
    AZURE_OPENAI_API_KEY: 'k',
  });
  expect(leadMs).toBeGreaterThan(0);
  expect(Number(grace) * 1000).toBeGreaterThan(leadMs + drainMs + leadMs);
});

test('compose publishes to this machine only, and takes every privilege away', () => {
  expect(compose.match(/ports: .*/g)).toEqual([
    'ports: ["127.0.0.1:8866:8866"]',
    'ports: ["127.0.0.1:8866:8866", "127.0.0.1:8867:8867"]',
    // nginx in front of the gateways of `scale`.
    'ports: ["127.0.0.1:8866:8866"]',
  ]);
  expect(compose).toMatch(/read_only: true/);
  expect(compose).toMatch(/cap_drop: \[ALL\]/);
  expect(compose).toMatch(/no-new-privileges:true/);
});

test('compose overrules the HOST, PORT and DATA_DIR of .env, which would be useless in a container', () => {
  const [, environment = ''] = /^ {2}gateway:\n.*?^ {4}environment:\n(.*?)^ {4}volumes:/ms.exec(compose) ?? [];
  expect(environment).toMatch(/^ {6}HOST: 0\.0\.0\.0$/m);
  expect(environment).toMatch(/^ {6}PORT: "8866"$/m);
  expect(environment).toMatch(/^ {6}DATA_DIR: \/data$/m);
});

test.each(['gateway', 'demo'])('the target %s keeps images in a volume that belongs to the user node', (target) => {
  const instructions = instructionsOf(target);
  const steps = ['RUN mkdir -m 700 /data && chown node:node /data', 'VOLUME /data', 'USER node'];
  expect(instructions).toMatch(/^ENV DATA_DIR=\/data$/m);
  // What is done to a directory after it has become a volume is lost, and only root can give it away.
  expect(steps.map((step) => instructions.split('\n').indexOf(step)).filter((line) => line >= 0)).toHaveLength(3);
  expect(steps.toSorted((one, other) => instructions.indexOf(one) - instructions.indexOf(other))).toEqual(steps);
});

test('compose gives each service a volume of its own, and an address for links, which no loopback address tells it', () => {
  const mounted = [...compose.matchAll(/"([\w-]+):\/(?!\/)/g)].map(([, volume = '']) => volume);
  const [, declared = ''] = /^volumes:\n((?: {2}[\w-]+:\n)+)/m.exec(compose) ?? [];
  expect(mounted).toEqual([...new Set(mounted)]);
  expect(declared.match(/[\w-]+/g)?.toSorted()).toEqual(mounted.toSorted());
  expect(compose.match(/PUBLIC_BASE_URL: .*http:\/\/127\.0\.0\.1:8866/g)).toHaveLength(3);
});

test('the build context is only what the Dockerfile copies', () => {
  const lines = readFileSync('.dockerignore', 'utf8').split('\n');
  const [first, ...others] = lines.filter((line) => line !== '' && !line.startsWith('#'));
  const allowed = others.filter((line) => line.startsWith('!')).map((line) => line.slice(1));
  const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.*) \S+$/gm)].flatMap(([, paths = '']) => paths.split(' '));
  expect(first).toBe('*');
  expect(allowed.sort()).toEqual([...new Set(copied)].sort());
});
