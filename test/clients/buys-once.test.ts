import { test } from 'vitest';
import { buyAll, flows } from '../end-to-end/sdk-flows.ts';

test.each(flows)(
  'with its own retries on, the SDK never buys twice: $name, whatever the upstream does',
  async (flow) => {
    await buyAll(flow, () => true);
  },
  120_000,
);
