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
  testTimeout: 600_000,
  hookTimeout: 180_000,
  expect: { poll: { timeout: 60_000, interval: 10 } },
};

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    globalSetup: 'test/scale/start-engines.ts',
    maxWorkers: Math.max(4, availableParallelism()),
    projects: [
      // What is shown of the job store in SQLite, once more in PostgreSQL.
      {
        test: {
          ...shared,
          name: 'postgres',
          include: ['test/storage/sql/**/*.test.ts', 'test/jobs/{owners,claim-race}.test.ts'],
        },
      },
      {
        test: {
          ...shared,
          name: 'scale',
          include: ['test/scale/**/*.test.ts'],
          // Processes that start, on few processors.
          maxConcurrency: 12,
        },
      },
    ],
  },
});
