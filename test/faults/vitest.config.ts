import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    name: 'faults',
    include: ['test/faults/**/*.cells.ts'],
    setupFiles: ['test/helpers/no-network.ts'],
    testTimeout: 30_000,
    maxConcurrency: 12,
    maxWorkers: 2,
  },
});
