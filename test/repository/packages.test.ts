import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

type Manifest = {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  optionalDependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
  engines: { node: string };
};
type Locked = {
  dev?: boolean;
  optional?: boolean;
  version?: string;
  hasInstallScript?: boolean;
  os?: string[];
  engines?: { node?: string };
};

const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Manifest;
const lock = JSON.parse(readFileSync('package-lock.json', 'utf8')) as { packages: Record<string, Locked> };
const locked = Object.entries(lock.packages).filter(([path]) => path !== '');

test('package.json pins exact versions', () => {
  const versions = Object.entries({
    ...manifest.dependencies,
    ...manifest.devDependencies,
    ...manifest.optionalDependencies,
  });
  expect(versions.filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))).toEqual([]);
});

test('nock is exactly 15.0.6', () => {
  expect(manifest.devDependencies.nock).toBe('15.0.6');
  expect(lock.packages['node_modules/nock']?.version).toBe('15.0.6');
});

test('the only install script is that of the package node', () => {
  expect(manifest.allowScripts).toEqual({ node: true });
  expect(locked.filter(([, { hasInstallScript }]) => hasInstallScript).map(([path]) => path)).toEqual([
    'node_modules/node',
  ]);
});

test('the tests run on the Node of the packages, which is new enough for the product', () => {
  expect(process.versions.node).toBe(manifest.devDependencies.node);
  const [, least = ''] = /^>=(.+)$/.exec(manifest.engines.node) ?? [];
  expect(process.versions.node.localeCompare(least, 'en', { numeric: true })).toBeGreaterThanOrEqual(0);
});

test('npm on Node 20 leaves out no optional package of the gateway', () => {
  // It says nothing when the engine of an optional package excludes the Node that it runs on itself.
  const optional = locked.filter(([, { optional, dev, os }]) => optional === true && dev !== true && os === undefined);
  const excluding = optional.filter(([, { engines }]) => !/^\D*(?:[0-9]|1[0-9]|20)(?:\D|$)/.test(engines?.node ?? '0'));
  expect(optional.length).toBeGreaterThan(50);
  expect(excluding.map(([path, { engines }]) => `${path}: ${engines?.node}`)).toEqual([]);
});

test('the gateway needs fewer than 100 packages, and fewer than 200 with those for Entra ID, PostgreSQL, object stores and conversions', () => {
  // Of the builds for single platforms, a machine installs its own.
  const production = locked.filter(([, { dev, os }]) => dev !== true && os === undefined);
  const needed = production.filter(([, { optional }]) => optional !== true);
  expect(needed.length).toBeGreaterThan(Object.keys(manifest.dependencies).length);
  expect(needed.length).toBeLessThan(100);
  expect(production.length).toBeLessThan(200);
});

test('the lock file names no registry', () => {
  expect(readFileSync('package-lock.json', 'utf8')).not.toMatch(/"resolved"/);
});
