import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

const helpers = ['no-network', 'leave-nothing'];

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    name: 'process',
    root: '.',
    include: ['test/process/**/*.test.ts'],
    setupFiles: helpers.map((helper) => `test/helpers/${helper}.ts`),
    globalSetup: 'test/helpers/build.ts',
    // Files of one process share the modules that they load.
    isolate: false,
    // Starting a program takes one processor for a moment, and then the test waits for it.
    maxWorkers: Math.max(4, availableParallelism()),
    // A machine that has other work must not make a test fail.
    testTimeout: 180_000,
    expect: { poll: { timeout: 60_000, interval: 10 } },
  },
});
