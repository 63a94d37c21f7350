import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readEnvironment } from '../../src/config/environment.ts';
import { loadModels } from '../helpers/parse-models.ts';

const security = readFileSync('docs/security.md', 'utf8');
const container = readFileSync('docs/container.md', 'utf8');

describe('docs/security.md', () => {
  const rows = security.split('\n').filter((line) => line.startsWith('| **'));

  test('names a test for every threat, and only files that exist', () => {
    const named = rows.map((row) => [...row.matchAll(/`(test\/[\w./-]+)`/g)].map(([, path = '']) => path));
    expect(rows.length).toBeGreaterThan(15);
    expect(rows.filter((_, at) => named[at]?.length === 0)).toEqual([]);
    expect(named.flat().filter((path) => !existsSync(path))).toEqual([]);
  });

  test('names every test of test/security', () => {
    const tests = readdirSync('test/security').filter((name) => name.endsWith('.test.ts'));
    expect(tests.filter((name) => !security.includes(`test/security/${name}`))).toEqual([]);
  });
});

describe('each compose file of docs/container.md', () => {
  const files = [...container.matchAll(/^```yaml\n(.*?)^```/gms)].map(([, text = '']) => text);
  const gateways = files.map((text) => /^ {2}gateway:\n(?: {4,}.*\n)+/m.exec(text)?.[0] ?? '');
  const given: Record<string, string> = { AZURE_OPENAI_API_KEY: 'k', CONNECTOR_KEY: 'a-key-that-is-long' };
  const environmentOf = (gateway: string) =>
    Object.fromEntries(
      [...gateway.matchAll(/^ {6}([A-Z_]+): (.*)$/gm)].map(([, name = '', value = '']) => [
        name,
        value.replace(/\$\{(\w+)\}/g, (_, variable: string) => given[variable] ?? ''),
      ]),
    );

  test('has a gateway that would start, with the models file of the image', () => {
    expect(gateways).toHaveLength(2);
    for (const gateway of gateways) {
      const variables = environmentOf(gateway);
      expect(() => readEnvironment(variables)).not.toThrow();
      expect(loadModels('config/models.json', variables).models.map(({ name }) => name)).toContain('azure-image');
    }
  });

  test('takes every privilege away, and leaves time to end', () => {
    for (const gateway of gateways) {
      for (const line of [
        'read_only: true',
        'tmpfs: [/tmp]',
        'cap_drop: [ALL]',
        'security_opt: ["no-new-privileges:true"]',
        'volumes: ["images:/data"]',
        'stop_grace_period: 620s',
      ]) {
        expect(gateway).toContain(`    ${line}\n`);
      }
      expect(gateway).not.toMatch(/ports:|privileged|user: root/);
    }
  });

  test('has the access that it describes: the sidecar through loopback without a key, the other one by its name with a key', () => {
    const [sidecar, backend] = gateways.map((gateway) => readEnvironment(environmentOf(gateway)));
    expect([sidecar?.host, sidecar?.gatewayApiKeys.length]).toEqual(['127.0.0.1', 0]);
    expect(gateways[0]).toContain('network_mode: service:app');
    expect([backend?.host, backend?.gatewayApiKeys.length]).toEqual(['0.0.0.0', 1]);
    expect(files[1]).toContain('http://gateway:8866/openai/deployments/azure-image\n');
  });
});

test('the commands for small containers are that of the image, but for the size of the heap', () => {
  const [, image = ''] = /^CMD (\[.*dist\/main\.js"\])$/m.exec(readFileSync('Dockerfile', 'utf8')) ?? [];
  const [, small = ''] = /`command: (\[.*\])`/.exec(container) ?? [];
  expect(small.replace(/size=256/, 'size=1024')).toBe(image);
});
