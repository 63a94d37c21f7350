import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const entry = readFileSync('dist/main.js', 'utf8');

/** Runs the built gateway on a Node that calls itself so. */
function runOn(version: string) {
  const pretend = `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })`;
  const preload = `data:text/javascript,${encodeURIComponent(pretend)}`;
  return spawnSync(process.execPath, ['--import', preload, 'dist/main.js', '--version'], { encoding: 'utf8' });
}

describe('dist/main.js', () => {
  test.each(['14.21.3', '18.20.8', '20.20.2', '22.22.0', '24.14.9'])(
    'on Node %s says which Node it needs',
    (version) => {
      expect(runOn(version)).toMatchObject({
        status: 1,
        stdout: '',
        stderr: `azure-image-gateway needs Node 24.15 or newer, and this is Node ${version}. Run it with the one of its packages: npx node dist/main.js\n`,
      });
    },
  );

  test.each(['24.15.0', '24.21.0', '25.0.0', '100.0.0'])('on Node %s starts', (version) => {
    expect(runOn(version)).toMatchObject({ status: 0, stderr: '' });
  });

  test('can be read by every Node: it imports nothing before it has looked, and has no newer syntax', () => {
    expect(entry.indexOf('import')).toBeGreaterThan(entry.indexOf('if ('));
    expect(entry).not.toMatch(/=>|`|\?\.|\?\?|\b(?:const|let|class|async|await|export)\b/);
  });
});
