import { afterAll, beforeAll } from 'vitest';
import { type Simulator, startSimulator } from '../../../simulator/start-simulator.ts';
import { useBundle } from './use-bundle.ts';

/** The bundled program and one simulator, for all tests of a file. */
export function useSimulator() {
  const program = useBundle();
  let simulator: Simulator;
  beforeAll(async () => {
    simulator = await startSimulator({ operationMs: 5, partialMs: 1 });
  });
  afterAll(() => simulator.close());
  return {
    get entry() {
      return program.entry;
    },
    get simulator() {
      return simulator;
    },
  };
}
