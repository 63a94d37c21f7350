import { globSync, readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

/** Suites with a configuration of their own. */
const ownCommands = ['clients', 'crash', 'jobs', 'memory', 'process', 'scale', 'scenarios'].map(
  (folder) => `test/${folder}/**`,
);

const endToEnd = 'test/end-to-end/**/*.test.ts';

const setupFiles = ['fixed-seed', 'leave-nothing', 'equal-buffers'].map((helper) => `test/helpers/${helper}.ts`);

/**
 * Replaced modules, another trusted certificate, the address of a managed identity, and connections that are none stay for
 * as long as their process.
 */
const marksProcess = /vi\.mock\(|\/trust\.ts'|\/play-cells\.ts'|process\.env\.IDENTITY_ENDPOINT|\.inject\(/;
const alone = globSync('test/**/*.test.ts', { exclude: ['**/node_modules/**', ...ownCommands] }).filter((file) =>
  marksProcess.test(readFileSync(file, 'utf8')),
);

const shared = {
  // Files of one process share the modules that they load, which would take most of the time.
  isolate: false,
  // Nothing takes so long; a machine that has other work must not make a test fail.
  testTimeout: 180_000,
  expect: { poll: { timeout: 60_000, interval: 10 } },
};

const decisive = [
  'src/targets/outcome.ts',
  'src/generations/backoff.ts',
  'src/targets/retry-budget.ts',
  'src/generations/failover.ts',
  'src/http/access.ts',
  'src/upstream/guarded-connector.ts',
];

export default defineConfig({
  test: {
    // Most tests wait for sockets more than they compute.
    maxWorkers: Math.max(4, availableParallelism()),
    globalSetup: 'test/helpers/build.ts',
    // Of what runs in the tests' own processes; programs that they start are not counted.
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      reportOnFailure: true,
      reporter: ['text-summary', 'json-summary', 'json', 'html'],
      thresholds: {
        lines: 90,
        // What decides about money, about who is let in, and about where connections go.
        ...Object.fromEntries(decisive.map((file) => [file, { branches: 100 }])),
      },
    },
    projects: [
      {
        test: {
          ...shared,
          name: 'contract',
          include: ['test/contract/**/*.test.ts'],
          setupFiles: ['test/helpers/mocked-network.ts', ...setupFiles],
        },
      },
      {
        test: {
          ...shared,
          name: 'alone',
          include: alone,
          setupFiles: ['test/helpers/no-network.ts', ...setupFiles],
          isolate: true,
        },
      },
      {
        test: {
          ...shared,
          name: 'real',
          include: ['test/**/*.test.ts'],
          exclude: [...ownCommands, 'test/contract/**', endToEnd, ...alone],
          setupFiles: ['test/helpers/no-network.ts', ...setupFiles],
        },
      },
      {
        // Left out by `npm test`, which has to be quick.
        test: {
          ...shared,
          name: 'end-to-end',
          include: [endToEnd],
          exclude: alone,
          setupFiles: ['test/helpers/no-network.ts', ...setupFiles],
        },
      },
    ],
  },
});
