import { generateImage, type ImageModel } from 'ai';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { startRig } from '../rig.ts';

/** Failures whose image may have been made. */
const uncertain = ['500-html', '504', 'reset-before-headers'];

/**
 * Checks that nothing is bought twice where Azure may have made the image already. The SDK retries by itself, whatever
 * `x-should-retry` says; it gets the outcome of its first call.
 */
export function billedOnceChecks(model: (url: string, name: string) => ImageModel) {
  return Object.fromEntries(
    uncertain.map((name) => [
      `Azure does ${name}`,
      async () => {
        const rig = await startRig();
        await failure(generateImage({ model: model(rig.url, 'image'), prompt: `simulate:${name}` }));
        expect(rig.simulator.ledger.counts()).toMatchObject({ received: 1, billed: 1 });
      },
    ]),
  );
}
