import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Operation, operations } from '../../src/domain/image-request.ts';
import { chooseTarget, targetsFor } from '../../src/gateway/choose-target.ts';
import type { LogicalModel, Target } from '../../src/gateway/model-catalog.ts';

const east = { name: 'east', priority: 0, weight: 3 };
const west = { name: 'west', priority: 0, weight: 1 };
const spare = { name: 'spare', priority: 1, weight: 100 };

test('chooseTarget gives the targets of the lowest priority number their share by weight', () => {
  const chosen = [0, 0.5, 0.74, 0.75, 0.99].map((random) => chooseTarget([spare, east, west], random).name);
  expect(chosen).toEqual(['east', 'east', 'east', 'west', 'west']);
});

test('chooseTarget always finds one of the lowest priority number', () => {
  const target = fc.record({ priority: fc.nat({ max: 3 }), weight: fc.integer({ min: 1, max: 1000 }) });
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
  fc.assert(
    fc.property(fc.array(target, { minLength: 1, maxLength: 8 }), random, (targets, dice) => {
      const chosen = chooseTarget(targets, dice);
      expect(targets).toContain(chosen);
      expect(chosen.priority).toBe(Math.min(...targets.map(({ priority }) => priority)));
    }),
    { numRuns: 1000 },
  );
});

describe('targetsFor', () => {
  type Abilities = readonly [name: string, family: readonly Operation[], provider: readonly Operation[]];

  function model(...targets: readonly Abilities[]): LogicalModel {
    const of = ([name, family, provider]: Abilities) =>
      ({ name, family: { operations: family }, provider: { operations: provider } }) as unknown as Target;
    return { name: 'picture', targets: targets.map(of) } as unknown as LogicalModel;
  }
  const namesFor = (operation: Operation, model: LogicalModel) => targetsFor(operation, model).map(({ name }) => name);

  test('gives the targets whose family and whose protocol can do it, in their order', () => {
    const mixed = model(
      ['generating', ['generate'], operations],
      ['both', operations, operations],
      ['editing', ['edit'], operations],
      ['asynchronous', operations, ['generate']],
    );
    expect(namesFor('generate', mixed)).toEqual(['generating', 'both', 'asynchronous']);
    expect(namesFor('edit', mixed)).toEqual(['both', 'editing']);
  });

  test.each([
    ['edit', model(['one', ['generate'], operations])],
    ['edit', model(['one', operations, ['generate']], ['two', ['generate'], operations])],
    ['edit', model(['one', ['edit'], ['generate']])],
    ['generate', model(['one', ['edit'], operations])],
  ] as const)('refuses to %s where nobody can, by the name of the model', (operation, nobody) => {
    expect(() => targetsFor(operation, nobody)).toThrow(
      expect.objectContaining({
        kind: 'unsupported_operation',
        param: 'model',
        message: `The model 'picture' cannot ${operation} pictures.`,
      }),
    );
  });
});
