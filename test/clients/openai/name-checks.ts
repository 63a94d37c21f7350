import { expectBase64, inputImage } from '../images.ts';
import { awkwardNames, expectPaid, startRig } from '../rig.ts';
import type { Sdk } from './sdk.ts';

/** Checks that models with a slash and with a blank in their name can be called. */
export function nameChecks({ package: { toFile }, connect }: Sdk) {
  return {
    async 'names with a slash and with a blank'() {
      const rig = await startRig();
      for (const model of awkwardNames) {
        const response = await connect(rig.url).images.generate({ model, prompt: 'a cat' });
        await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
      }
      expectPaid(rig, { received: 2, billed: 2, images: 2 });
    },
    async 'the same for edits'() {
      const rig = await startRig();
      for (const model of awkwardNames) {
        const image = await toFile(await inputImage(), 'teal.png', { type: 'image/png' });
        const response = await connect(rig.url).images.edit({ model, prompt: 'a hat', image });
        await expectBase64(response.data?.[0]?.b64_json, '1024x1024');
      }
      expectPaid(rig, { received: 2, billed: 2, images: 2 });
    },
  };
}
