import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    name: 'front',
    include: ['test/front/**/*.cells.ts'],
    setupFiles: ['test/helpers/no-network.ts'],
    testTimeout: 300_000,
  },
});
