import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const setupFiles = ['no-network', 'fixed-seed', 'leave-nothing', 'equal-buffers'].map(
  (helper) => `test/helpers/${helper}.ts`,
);

const shared = {
  root: '.',
  setupFiles,
  // Files of one process share the modules that they load.
  isolate: false,
  // A machine that has other work must not make a test fail.
  testTimeout: 300_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000, interval: 10 } },
};

const maxWorkers = Math.max(4, availableParallelism());

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    globalSetup: 'test/scale/start-engines.ts',
    // One group after the other: leases run out where too many gateways share a processor.
    projects: [
      // What is shown of the job store in SQLite, once more in PostgreSQL.
      {
        test: {
          ...shared,
          name: 'postgres',
          include: ['test/storage/sql/**/*.test.ts', 'test/jobs/{owners,claim-race}.test.ts'],
          maxWorkers,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          ...shared,
          name: 'objects',
          include: ['test/scale/objects/**/*.test.ts', 'test/scale/entra-password.test.ts'],
          maxWorkers,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          name: 'replicas',
          include: ['test/scale/*.test.ts'],
          exclude: ['test/scale/{crash,freeze,entra-password}.test.ts'],
          maxWorkers: 2,
          maxConcurrency: 3,
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          ...shared,
          name: 'kills',
          include: ['test/scale/{crash,freeze}.test.ts'],
          // Chains of gateways mostly wait for leases.
          maxConcurrency: 20,
          testTimeout: 600_000,
          maxWorkers: 1,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
