import { defineConfig } from 'vitest/config';

// biome-ignore lint/style/noDefaultExport: this is how Vitest reads its configuration
export default defineConfig({
  test: {
    name: 'clients',
    root: import.meta.dirname,
    include: ['**/*.test.ts'],
    globalSetup: ['python/install-packages.ts'],
    setupFiles: ['../helpers/no-network.ts', 'bare-environment.ts'],
    // These tests wait for clients that wait before they retry.
    maxWorkers: '100%',
    testTimeout: 30_000,
    expect: { poll: { timeout: 10_000 } },
  },
});
