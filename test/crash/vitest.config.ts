import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    name: 'crash',
    root: '.',
    include: ['test/crash/**/*.test.ts'],
    setupFiles: ['test/helpers/no-network.ts'],
    globalSetup: 'test/helpers/build.ts',
    testTimeout: 600_000,
    hookTimeout: 120_000,
    // Processes that start, on few processors.
    maxConcurrency: 6,
  },
});
