import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { aliases, awkwardNames, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { collect } from './collect.ts';
import type { Sdk } from './sdk.ts';

/** Checks of `models.list` and `models.retrieve`. */
export function modelChecks({ package: errors, connect }: Sdk) {
  return {
    models: {
      async list() {
        const { url } = await startRig();
        const ids = (await collect(connect(url).models.list())).map(({ id }) => id);
        expect(ids).toEqual(['image', ...awkwardNames, 'dall-e-3', ...aliases]);
      },
      async retrieve() {
        const { url } = await startRig();
        for (const id of ['image', ...awkwardNames]) {
          expect(await connect(url).models.retrieve(id)).toMatchObject({ id, object: 'model' });
        }
      },
      async 'retrieve an unknown one'() {
        const { url } = await startRig();
        const error = await failure(connect(url).models.retrieve('no body/knows'));
        expect(error).toBeInstanceOf(errors.NotFoundError);
        expect(error).toMatchObject({ code: 'model_not_found', param: 'model' });
      },
    },
  } satisfies Suite;
}
