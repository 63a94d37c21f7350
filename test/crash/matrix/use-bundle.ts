import { afterAll, beforeAll } from 'vitest';
import { type Bundle, bundleGateway } from './bundle-gateway.ts';
import { Stage } from './stage.ts';

/** Starts stages for the tests of a file, with a program that is bundled once for all of them. */
export function useBundle(bundleProgram: () => Promise<Bundle> = bundleGateway) {
  let bundle: Bundle;
  beforeAll(async () => {
    bundle = await bundleProgram();
  });
  afterAll(async () => {
    await bundle[Symbol.asyncDispose]();
  });
  return {
    get entry() {
      return bundle.entry;
    },
    startStage: (models: { readonly limits?: object; readonly keys?: object } = {}) =>
      Stage.start({ entry: bundle.entry, ...models }),
  };
}
