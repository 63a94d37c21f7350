import type { Generation } from '../domain/generation.ts';
import { type ImageRequest, operationOf } from '../domain/image-request.ts';
import type { Recorder } from '../domain/recorder.ts';
import { chooseTarget, targetsFor } from './choose-target.ts';
import type { Hosting } from './deliver-url.ts';
import { startGeneration } from './generation.ts';
import type { ModelCatalog } from './model-catalog.ts';

/** The use case: logical models in front, targets behind. */
export interface Gateway {
  readonly catalog: ModelCatalog;
  /** How many generations are running. */
  readonly inFlight: number;
  /**
   * Starts a request; throws a GatewayError when it can be refused before anything is sent. From the start on, the
   * generation owns the request's inputs.
   */
  start(model: string | undefined, request: ImageRequest): Generation;
  /** Ends everything that is running, so that each caller still gets an answer. */
  cancelAll(): void;
}

type Parts = {
  readonly catalog: ModelCatalog;
  readonly recorder: Recorder;
  /** Where pictures can be hosted at the moment, if they can. */
  readonly hosting: () => Hosting | undefined;
  readonly random?: () => number;
};

export function createGateway({ catalog, recorder, hosting, random = Math.random }: Parts): Gateway {
  const running = new Set<Generation>();
  return {
    catalog,
    get inFlight() {
      return running.size;
    },
    start(name, request) {
      const model = catalog.find(name);
      const target = chooseTarget(targetsFor(operationOf(request), model), random());
      const onSettled = () => running.delete(generation);
      const generation = startGeneration({ model, target, request, recorder, hosting: hosting(), onSettled });
      running.add(generation);
      return generation;
    },
    cancelAll() {
      for (const generation of running) generation.cancel('shutdown');
    },
  };
}
