import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    name: 'fuzz',
    root: '.',
    include: ['test/fuzz/**/*.fuzz.ts'],
    setupFiles: ['test/helpers/no-network.ts'],
    globalSetup: 'test/helpers/build.ts',
    // A run of its own choosing may be as long as somebody wants.
    testTimeout: process.env.FUZZ_COUNT === undefined ? 300_000 : 24 * 3600 * 1000,
    maxWorkers: 2,
  },
});
