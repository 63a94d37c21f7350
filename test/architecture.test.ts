import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

// The dependency rule, one direction: each room may import the rooms beside it, and the packages that live in it.
const allowedRooms: Record<string, string[]> = {
  config: ['domain'],
  domain: [],
  json: [],
  gateway: ['domain'],
  providers: ['upstream', 'json', 'domain'],
  upstream: ['json', 'domain'],
  api: ['gateway', 'json', 'domain'],
  storage: ['domain'],
  telemetry: ['domain'],
  doctor: ['gateway', 'upstream', 'config', 'domain'],
  smoke: ['gateway', 'telemetry', 'domain'],
  simulator: [],
};
const homes: Record<string, string[]> = {
  fastify: ['api', 'simulator'],
  '@fastify/multipart': ['api', 'simulator'],
  '@fastify/cors': ['api'],
  'rate-limiter-flexible': ['api'],
  undici: ['upstream'],
  '@azure/identity': ['upstream'],
  '@azure/msal-node': ['upstream'],
  pino: ['telemetry'],
  'prom-client': ['telemetry'],
  dotenv: ['config'],
  'jsonc-parser': ['config'],
  sharp: ['simulator'],
};
const rooms = Object.keys(allowedRooms);

/** One file for each import that a room could make: path → source. */
function allImports(): Map<string, string> {
  const files = new Map<string, string>();
  for (const room of rooms) {
    for (const other of rooms.filter((name) => name !== room)) {
      files.set(`src/${room}/imports-${other}.ts`, importOf(`../${other}/thing.ts`));
    }
    for (const name of Object.keys(homes)) files.set(`src/${room}/imports-package-${name}.ts`, importOf(name));
    files.set(`src/${room}/imports-app.ts`, importOf('../app.ts'));
    files.set(`src/${room}/reads-environment.ts`, 'export const home = process.env.HOME;\n');
    files.set(`src/${room}/uses-fetch.ts`, "export const answer = fetch('http://localhost');\n");
  }
  return files;
}

function importOf(source: string): string {
  return `import { thing } from '${source}';\n\nexport const again = thing;\n`;
}

function isAllowed(room: string, file: string): boolean {
  const [, kind, name = ''] = /imports-(package-)?(.+)\.ts$/.exec(file) ?? [];
  if (kind !== undefined) return homes[name]?.includes(room) ?? false;
  if (file.endsWith('reads-environment.ts')) return room === 'config';
  return allowedRooms[room]?.includes(name) ?? false;
}

describe('the dependency rule', () => {
  const folder = mkdtempSync(join(tmpdir(), 'architecture-'));
  const files = allImports();
  let refused: Set<string>;

  beforeAll(() => {
    cpSync('biome.json', join(folder, 'biome.json'));
    for (const [file, source] of files) {
      mkdirSync(dirname(join(folder, file)), { recursive: true });
      writeFileSync(join(folder, file), source);
    }
    const biome = resolve('node_modules/.bin/biome');
    const options = ['lint', '--vcs-enabled=false', '--reporter=json', '--max-diagnostics=none', 'src'];
    const { stdout } = spawnSync(biome, options, { cwd: folder, encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { category: string; location: { path: string } }[] };
    refused = new Set(diagnostics.map(({ location }) => location.path));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test.each(rooms)('the linter lets %s import exactly what it may', (room) => {
    const ofRoom = [...files.keys()].filter((file) => file.startsWith(`src/${room}/`));
    const expected = ofRoom.filter((file) => !isAllowed(room, file));
    expect(ofRoom.filter((file) => refused.has(file))).toEqual(expected);
  });

  test('a test run has the Node version that the project needs, whatever the machine has', () => {
    const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
    expect(major * 1000 + minor).toBeGreaterThanOrEqual(24_015);
    expect(execFileSync(process.execPath, ['--version'], { encoding: 'utf8' })).toMatch(/^v24\./);
  });
});
