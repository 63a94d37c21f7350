import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  // One file at a time: what other processes take from the machine would change what these measure.
  test: {
    name: 'memory',
    root: '.',
    include: ['test/memory/**/*.test.ts'],
    setupFiles: ['test/helpers/no-network.ts'],
    globalSetup: 'test/helpers/build.ts',
    fileParallelism: false,
    testTimeout: 300_000,
  },
});
