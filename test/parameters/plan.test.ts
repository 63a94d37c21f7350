import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { type ImageRequest, type Operation, operations } from '../../src/domain/image-request.ts';
import type { ModelCapabilities } from '../../src/domain/model-capabilities.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';
import { type PlanModel, type PlanTarget, plan, targetsFor } from '../../src/parameters/plan.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';

function target(name: string, model: string, facts: Partial<PlanTarget & ModelCapabilities> = {}): PlanTarget {
  const { priority = 0, provider = { operations }, ...capabilities } = facts;
  return { name, priority, provider, family: modelFamily(model, capabilities) };
}

const modelOf = (
  targets: readonly PlanTarget[],
  facts: Partial<PlanModel<PlanTarget>> = {},
): PlanModel<PlanTarget> => ({
  name: 'image',
  targets,
  parameters: 'adapt',
  defaults: {},
  ...facts,
});

const planFor = (model: PlanModel<PlanTarget>, asked: Partial<ImageRequest>, canHost = true, canConvert = true) =>
  plan({ ...plainRequest, ...asked }, model, { canHost, canConvert });

function refusal(model: PlanModel<PlanTarget>, asked: Partial<ImageRequest>, canHost = true): GatewayError {
  try {
    planFor(model, asked, canHost);
  } catch (error) {
    if (error instanceof GatewayError) return error;
  }
  throw new Error('the request was not refused');
}

describe('candidates', () => {
  test('stand in the order of their priority, and among equals in that of the model', () => {
    const names = [target('c', 'flux', { priority: 1 }), target('a', 'flux'), target('d', 'flux', { priority: 2 })];
    const { candidates } = planFor(modelOf([...names, target('b', 'flux')]), {});
    expect(candidates.map((candidate) => candidate.target.name)).toEqual(['a', 'b', 'c', 'd']);
  });

  test('have adaptations of their own', () => {
    const model = modelOf([target('old', 'dall-e-3'), target('new', 'gpt-image-2')]);
    const { candidates } = planFor(model, { quality: 'high', style: 'natural', count: 2 });
    expect(candidates.map(({ adapted }) => [adapted.legs.length, adapted.adaptations])).toEqual([
      [2, ['quality=high>hd', 'n=fan-out']],
      [1, ['style=removed']],
    ]);
  });

  test('are only those that can serve the request', () => {
    const model = modelOf([target('first', 'gpt-image-1'), target('second', 'gpt-image-2')]);
    expect(planFor(model, { size: '3840x2160' }).candidates.map((candidate) => candidate.target.name)).toEqual([
      'second',
    ]);
  });

  test('leave request and model as they are', () => {
    const model = Object.freeze(
      modelOf(Object.freeze([target('b', 'flux', { priority: 1 }), target('a', 'dall-e-3')])),
    );
    const request = Object.freeze({ ...plainRequest, quality: 'high' });
    const abilities = { canHost: false, canConvert: true };
    expect(plan(request, model, abilities)).toEqual(plan(request, model, abilities));
  });
});

describe('a refusal', () => {
  test('is that of the first target by priority where none can serve the request', () => {
    const model = modelOf([target('spare', 'dall-e-2', { priority: 1 }), target('first', 'gpt-image-2')]);
    expect(refusal(model, { prompt: 'x'.repeat(1_001), size: '3840x3840' }).param).toBe('size');
  });

  test('names the operation where no target can do it', () => {
    const edit = editInputs([imageInput(Buffer.alloc(8))]);
    expect(refusal(modelOf([target('one', 'dall-e-3')]), { edit })).toMatchObject({ kind: 'unsupported_operation' });
  });
});

describe('delivery', () => {
  test('is the same for every target', () => {
    const model = modelOf([target('a', 'gpt-image-1'), target('b', 'dall-e-2')], { defaults: { delivery: 'url' } });
    expect(planFor(model, {}).delivery).toBe('url');
    expect(planFor(model, { delivery: 'b64_json' }).delivery).toBe('b64_json');
    expect(planFor(modelOf(model.targets), {}).delivery).toBeUndefined();
  });

  test('by links needs hosting, or a target that gives links', () => {
    const base64Only = target('a', 'gpt-image-1');
    expect(planFor(modelOf([base64Only]), { delivery: 'url' }).delivery).toBe('url');
    expect(refusal(modelOf([base64Only]), { delivery: 'url' }, false)).toMatchObject({
      kind: 'unsupported_parameter',
      param: 'response_format',
    });
    const { candidates } = planFor(modelOf([base64Only, target('b', 'dall-e-2')]), { delivery: 'url' }, false);
    expect(candidates.map((candidate) => candidate.target.name)).toEqual(['b']);
  });

  test('by links is no default without hosting where any target gives none', () => {
    const defaults = { delivery: 'url', quality: 'low' } as const;
    const mixed = modelOf([target('a', 'gpt-image-1'), target('b', 'dall-e-2')], { defaults });
    expect(planFor(mixed, {}, false)).toMatchObject({ delivery: undefined, defaults: { quality: 'low' } });
    expect(planFor(mixed, {}, true)).toMatchObject({ delivery: 'url', defaults });
    expect(planFor(modelOf([target('b', 'dall-e-2')], { defaults }), {}, false)).toMatchObject({ delivery: 'url' });
  });
});

describe('targetsFor', () => {
  type Abilities = readonly [name: string, family: readonly Operation[], provider: readonly Operation[]];

  const model = (...targets: readonly Abilities[]) =>
    modelOf(
      targets.map(([name, family, provider]) =>
        target(name, 'flux', { operations: family, provider: { operations: provider } }),
      ),
    );

  test('gives the targets whose family and whose protocol can do it, in their order', () => {
    const mixed = model(
      ['generating', ['generate'], operations],
      ['both', operations, operations],
      ['editing', ['edit'], operations],
      ['asynchronous', operations, ['generate']],
    );
    const namesFor = (operation: Operation) => targetsFor(operation, mixed).map(({ name }) => name);
    expect(namesFor('generate')).toEqual(['generating', 'both', 'asynchronous']);
    expect(namesFor('edit')).toEqual(['both', 'editing']);
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
        message: `The model 'image' cannot ${operation} images.`,
      }),
    );
  });
});
