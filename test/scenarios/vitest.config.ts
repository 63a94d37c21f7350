import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const helpers = ['no-network', 'fixed-seed', 'leave-nothing', 'equal-buffers'];

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    name: 'scenarios',
    root: '.',
    include: ['test/scenarios/**/*.test.ts'],
    setupFiles: helpers.map((helper) => `test/helpers/${helper}.ts`),
    // Files of one process share the modules that they load.
    isolate: false,
    // Most scenarios wait more than they compute.
    maxWorkers: Math.max(4, availableParallelism()),
    // A machine that has other work must not make a test fail.
    testTimeout: 180_000,
    expect: { poll: { timeout: 60_000, interval: 10 } },
  },
});
