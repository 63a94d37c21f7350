import { describe, expect, test } from 'vitest';
import { fateOf } from '../../scripts/sample-fate.ts';
import { type InputMediaType, inputMediaTypes } from '../../src/domain/image-input.ts';
import type { Values } from '../../src/domain/model-capabilities.ts';
import { type ParameterPolicy, parameterPolicies } from '../../src/domain/parameter-policy.ts';
import { adaptRequest } from '../../src/parameters/adapt.ts';
import { adaptations } from '../../src/parameters/adaptations.ts';
import { agentFamily, type ModelFamily, modelFamilies, unknownFamily } from '../../src/parameters/model-families.ts';
import {
  type ParameterSample,
  parameterSamples,
  plainRequest,
  samplesFor,
} from '../../src/parameters/parameter-samples.ts';
import { editInputs, imageInput } from '../helpers/image-input.ts';

// What is expected is worked out from the table a second time and in another way: one line per parameter.
const families = [...modelFamilies, unknownFamily];
const sent = { how: 'sent' };
const byDefault = { how: 'default' };
const refused = (param: string) => ({ how: 'refused', param });
const adapted = (...names: string[]) => ({ how: 'adapted', adaptations: names });

const grid = ['1024x1024', '1536x1024', '1024x1536', '1792x1024', '1024x1792', '2048x1152'];
const anySize = ['256x256', '512x512', '1000x1000', ...grid];
const sizesWithin: Readonly<Record<string, readonly string[]>> = {
  WxH: grid,
  'WxH-mai': ['1024x1024'],
  'WxH-mai-2.6': grid,
  'WxH-flux': anySize,
  'WxH-flux-4mp': anySize,
};
const replacements: Readonly<Record<string, string>> = {
  '256x256': '1024x1024',
  '512x512': '1024x1024',
  '1792x1024': '1536x1024',
  '1024x1792': '1024x1536',
  hd: 'high',
  high: 'hd',
  standard: 'medium',
  medium: 'standard',
  low: 'standard',
};

/** The format that is converted to what a family lacks. */
function convertedFrom({ sample: { value }, family: { outputFormats }, isAdapted }: Cell): string | undefined {
  if (!isAdapted || has(outputFormats, value) || !['png', 'jpeg', 'webp'].includes(value)) return undefined;
  return ['png', 'jpeg'].find((format) => has(outputFormats, format));
}

type Cell = { readonly sample: ParameterSample; readonly family: ModelFamily; readonly isAdapted: boolean };

const has = (values: Values, value: string) =>
  values === 'any' || values.some((entry) => entry === value || sizesWithin[entry]?.includes(value));

function listed(param: string, values: Values, fallback: string | undefined) {
  return ({ sample: { value }, isAdapted }: Cell) => {
    if (value === fallback || (value === 'auto' && !has(values, value))) return byDefault;
    if (has(values, value)) return sent;
    const other = ['size', 'quality'].includes(param) ? replacements[value] : undefined;
    if (isAdapted && other !== undefined && has(values, other)) return adapted(`${param}=${value}>${other}`);
    const isRemoved = isAdapted && ['style', 'size', 'quality'].includes(param) && values.length === 0;
    return isRemoved ? adapted(`${param}=removed`) : refused(param);
  };
}

const expectations: Readonly<Record<string, (cell: Cell) => unknown>> = {
  n: ({ sample, family, isAdapted }) =>
    sample.request.count <= family.maxCount ? sent : isAdapted ? adapted('n=fan-out') : refused('n'),
  size: (cell) => listed('size', cell.family.sizes, cell.family.defaults.size)(cell),
  'size of an edit': (cell) => {
    const { sizes, editSizes = sizes, defaults } = cell.family;
    return listed('size', editSizes, cell.family.editSizes ? undefined : defaults.size)(cell);
  },
  quality: (cell) => listed('quality', cell.family.qualities, cell.family.defaults.quality)(cell),
  style: (cell) => listed('style', cell.family.styles, cell.family.defaults.style)(cell),
  background: (cell) => listed('background', cell.family.backgrounds, cell.family.defaults.background)(cell),
  output_format: (cell) => {
    const from = convertedFrom(cell);
    if (from !== undefined) return adapted(`output_format=${from}>${cell.sample.value}`);
    return listed('output_format', cell.family.outputFormats, cell.family.defaults.outputFormat)(cell);
  },
  moderation: (cell) => listed('moderation', cell.family.moderations, cell.family.defaults.moderation)(cell),
  output_compression: (cell) => {
    const { sample, family, isAdapted } = cell;
    const isLost = !has(family.outputFormats, 'jpeg') || !has(family.compressionFormats, 'jpeg');
    const isAsked = sample.request.outputCompression !== family.defaults.outputCompression;
    const isConverted = isAdapted && isLost && has(family.outputFormats, 'png');
    if (isConverted && (isAsked || !has(family.outputFormats, 'jpeg'))) return adapted('output_format=png>jpeg');
    if (!has(family.outputFormats, 'jpeg')) return refused('output_format');
    if (!isAsked) return byDefault;
    return has(family.compressionFormats, 'jpeg') ? sent : refused('output_compression');
  },
  response_format: ({ sample: { value }, family, isAdapted }) => {
    if (value === family.defaults.delivery) return byDefault;
    if (family.responseFormats.some((format) => format === value)) return sent;
    return isAdapted ? adapted(`delivery=${value}`) : refused('response_format');
  },
  stream: ({ sample, family, isAdapted }) => {
    const limit = family.streams ? family.maxStreamedCount : family.maxCount;
    const isTooMany = sample.request.count > limit;
    if (!isAdapted && !family.streams) return refused('stream');
    if (!isAdapted && isTooMany) return refused('n');
    const names = [...(family.streams ? [] : ['stream=completed-only']), ...(isTooMany ? ['n=fan-out'] : [])];
    return names.length === 0 ? sent : adapted(...names);
  },
  partial_images: ({ family, isAdapted }) => {
    if (family.streams) return sent;
    return isAdapted ? adapted('stream=completed-only', 'partial_images=removed') : refused('stream');
  },
  user: ({ family, isAdapted }) => (family.endUsers ? sent : isAdapted ? adapted('user=removed') : refused('user')),
  safety_identifier: ({ family, isAdapted }) => {
    if (family.endUsers && family.extraParameters) return sent;
    return isAdapted ? adapted('safety_identifier=removed') : refused('safety_identifier');
  },
  input_fidelity: (cell) =>
    listed('input_fidelity', cell.family.inputFidelities, cell.family.defaults.inputFidelity)(cell),
  image: ({ sample, family }) => (Number(sample.value) > family.maxInputs ? refused('image') : sent),
  mask: ({ family }) => (family.mask ? sent : refused('mask')),
  markup: ({ family }) => (family.markup ? sent : refused('markup')),
  seed: ({ family: { seed }, isAdapted }) => {
    if (seed === 'supported' || (isAdapted && seed === 'undocumented')) return sent;
    return isAdapted ? adapted('seed=removed') : refused('seed');
  },
  web_grounding: () => refused('web_grounding'),
  'other parameters': ({ family }) => (family.extraParameters ? sent : refused('complexity')),
};

function expected(sample: ParameterSample, family: ModelFamily, policy: ParameterPolicy): unknown {
  if (policy === 'pass' && !family.isTranslated) return sent;
  const { parameter } = sample;
  const isOwn = Object.hasOwn(family.ownParameters, parameter);
  const expectation = expectations[parameter] ?? (isOwn ? () => sent : undefined);
  return expectation?.({ sample, family, isAdapted: policy !== 'strict' });
}

describe.each(families)('the family $name', (family) => {
  test.each(parameterPolicies)('under %s: each parameter has the fate that the table says', (policy) => {
    const nameOf = ({ parameter, value }: ParameterSample) => `${parameter}: ${value}`;
    const actual = samplesFor(family).map((sample) => [nameOf(sample), fateOf(sample, { family, policy })]);
    const wanted = samplesFor(family).map((sample) => [nameOf(sample), expected(sample, family, policy)]);
    expect(Object.fromEntries(actual)).toEqual(Object.fromEntries(wanted));
  });
});

describe('the samples of the matrix', () => {
  test('show every value of the table', () => {
    const shown = parameterSamples.map(({ value }) => value);
    const lists = families.flatMap((family) => [
      family.sizes,
      family.qualities,
      family.backgrounds,
      family.outputFormats,
      family.moderations,
      family.styles,
      family.inputFidelities,
    ]);
    const values = lists.filter((list) => list !== 'any').flat();
    expect(values.filter((value) => !Object.hasOwn(sizesWithin, value) && !shown.includes(value))).toEqual([]);
  });

  test('show every adaptation of the closed list', () => {
    const fates = [...families, agentFamily].flatMap((family) =>
      samplesFor(family).map((sample) => fateOf(sample, { family, policy: 'adapt' })),
    );
    const seen = new Set(fates.flatMap((fate) => (fate.how === 'adapted' ? fate.adaptations : [])));
    // One sample stands for all further options of the tool, and agents stream only where the operator says so.
    const options = { complexity: 'low', frame_count: 8, frame_duration_ms: 100, svg: {} };
    for (const asked of [{ extra: options }, { stream: true, partialImages: 1 }]) {
      const family = { ...agentFamily, streams: true };
      for (const name of adaptRequest({ ...plainRequest, ...asked }, { family, policy: 'adapt' }).adaptations) {
        seen.add(name);
      }
    }
    for (const type of inputMediaTypes) {
      for (const hasAlpha of [true, false]) {
        const images = [imageInput(Buffer.from('an image'), { type, hasAlpha })];
        const asked = { ...plainRequest, edit: editInputs(images) };
        for (const inputTypes of [['image/png', 'image/jpeg'], ['image/png'], ...(hasAlpha ? [] : [['image/jpeg']])]) {
          const family = { ...unknownFamily, inputTypes: inputTypes as InputMediaType[] };
          for (const name of adaptRequest(asked, { family, policy: 'adapt' }).adaptations) seen.add(name);
        }
      }
    }
    const seeded = { ...plainRequest, count: 2, extra: { seed: 7 } };
    const single = { ...unknownFamily, maxCount: 1 };
    for (const name of adaptRequest(seeded, { family: single, policy: 'adapt' }).adaptations) seen.add(name);
    for (const outputFormat of ['png', 'webp']) {
      const family = { ...unknownFamily, outputFormats: ['jpeg'] };
      for (const name of adaptRequest({ ...plainRequest, outputFormat }, { family, policy: 'adapt' }).adaptations) {
        seen.add(name);
      }
    }
    // What a response holds is seen only when it has come.
    const planned = adaptations.map(({ name }) => name).filter((name) => name !== 'n=fewer');
    expect([...seen].sort()).toEqual(planned.sort());
  });
});
