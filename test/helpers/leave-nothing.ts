import { afterAll, vi } from 'vitest';

// The next file runs in the same process: it gets clocks, functions and an environment as this one has found them.

const environment = { ...process.env };

afterAll(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
});
