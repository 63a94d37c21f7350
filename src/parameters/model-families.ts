import { fluxApiCapabilities, foundryModelCapabilities, maiParameters } from '../domain/foundry-models.ts';
import { operations } from '../domain/image-request.ts';
import { agentCapabilities } from '../domain/image-tool.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import { anySizeWithinRule } from './size-rules.ts';

/** A row of the table; its name is the prefix of its models' names. */
export type ModelFamily = ModelCapabilities & { readonly name: string };

/** What OpenAI's edits take. */
const commonInputTypes = ['image/png', 'image/jpeg', 'image/webp'] as const;

const permissive: ModelCapabilities = {
  operations,
  promptCharacters: 32_000,
  maxCount: 10,
  streams: true,
  // Every upstream that was tried refuses to stream more, and several calls are never wrong.
  maxStreamedCount: 1,
  sizes: 'any',
  qualities: 'any',
  backgrounds: 'any',
  outputFormats: 'any',
  compressionFormats: 'any',
  moderations: 'any',
  styles: 'any',
  inputFidelities: 'any',
  maxInputs: 16,
  mask: true,
  inputTypes: commonInputTypes,
  markup: true,
  maxInlineImageChars: Number.POSITIVE_INFINITY,
  responseFormats: ['url', 'b64_json'],
  seed: 'undocumented',
  endUsers: true,
  ownParameters: {},
  extraParameters: true,
  agentDecides: false,
  isTranslated: false,
  defaults: {},
};

/** A model that the table does not know: everything is left to the upstream. */
export const unknownFamily: ModelFamily = { name: 'any other model', ...permissive };

/** The same behind an agent of a Foundry project. A known model behind an agent keeps the values of its family. */
export const agentFamily: ModelFamily = { ...unknownFamily, name: 'any model behind an agent', ...agentCapabilities };

/** What the DALL·E models have in common: none of the newer parameters, and png, which cannot be chosen. */
const dallE: Omit<ModelCapabilities, 'promptCharacters' | 'maxCount' | 'sizes' | 'qualities'> = {
  operations: ['generate'],
  streams: false,
  maxStreamedCount: 1,
  backgrounds: [],
  outputFormats: ['png'],
  compressionFormats: [],
  moderations: [],
  styles: [],
  inputFidelities: [],
  maxInputs: 1,
  mask: false,
  inputTypes: commonInputTypes,
  markup: false,
  maxInlineImageChars: Number.POSITIVE_INFINITY,
  responseFormats: ['url'],
  seed: 'refused',
  endUsers: true,
  ownParameters: {},
  extraParameters: true,
  agentDecides: false,
  isTranslated: false,
  defaults: {
    size: '1024x1024',
    quality: 'standard',
    background: 'opaque',
    outputFormat: 'png',
    outputCompression: 100,
  },
};

const standardSizes = ['auto', '1024x1024', '1536x1024', '1024x1536'];
const freeSizes = [...standardSizes, anySizeWithinRule];
const qualities = ['auto', 'low', 'medium', 'high'];
const finerQualities = [...qualities, 'xhigh', 'max'];

/**
 * GPT image models that are not documented yet: what all GPT image models have in common, with the sizes and qualities of
 * the newest documented ones. The rest is left to the upstream.
 */
const laterGptImage: ModelCapabilities = {
  ...permissive,
  sizes: freeSizes,
  qualities: finerQualities,
  styles: [],
  responseFormats: [],
  // Neither Azure nor OpenAI documents a seed for any of them, and both refuse unknown parameters.
  seed: 'refused',
  defaults: { delivery: 'b64_json' },
};

/**
 * As Azure documents API version 2025-04-01-preview. `webp` is in its schema, but its guide denies it, so it needs an
 * override. `quality` has no default here: Azure's pages differ (`auto`, `high`), and calls without it were seen to hang.
 */
const gptImage: ModelCapabilities = {
  ...laterGptImage,
  sizes: standardSizes,
  qualities,
  backgrounds: ['auto', 'opaque', 'transparent'],
  outputFormats: ['png', 'jpeg'],
  compressionFormats: ['jpeg'],
  moderations: ['auto', 'low'],
  inputFidelities: ['high', 'low'],
  markup: false,
  defaults: {
    size: 'auto',
    background: 'auto',
    outputFormat: 'png',
    outputCompression: 100,
    moderation: 'auto',
    delivery: 'b64_json',
  },
};

/**
 * https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-mai. The service ignores `size` and `n`
 * without a word (https://github.com/BerriAI/litellm/issues/40074), and refuses every parameter that it does not know.
 */
const maiImage: ModelCapabilities = {
  ...permissive,
  ...foundryModelCapabilities,
  // 32,000 tokens, which are that many words at most, and several times as many characters.
  promptCharacters: 128_000,
  sizes: ['WxH-mai'],
  // The result is as large as the input.
  editSizes: [],
  inputTypes: ['image/png', 'image/jpeg'],
  outputFormats: ['png'],
  maxInputs: 1,
  seed: 'refused',
  defaults: { ...foundryModelCapabilities.defaults, size: '1024x1024', outputFormat: 'png' },
};

/** Through Azure's image API, at the address of a deployment; counts and formats are not documented. */
const flux: ModelCapabilities = {
  ...permissive,
  streams: false,
  qualities: [],
  backgrounds: [],
  moderations: [],
  styles: [],
  inputFidelities: [],
  mask: false,
  markup: false,
  seed: 'supported',
};

/** Through the provider API only. */
const flux2 = { ...permissive, ...fluxApiCapabilities, maxCount: 10, maxInputs: 10 } satisfies ModelCapabilities;

/** By prefix of the model's name, as Azure's and OpenAI's references of their image APIs document them. */
export const modelFamilies: readonly ModelFamily[] = [
  {
    // The asynchronous flow of 2023-06-01-preview: a closed list of parameters, and links only.
    name: 'dall-e-2',
    ...dallE,
    promptCharacters: 1_000,
    maxCount: 5,
    sizes: ['256x256', '512x512', '1024x1024'],
    qualities: ['standard'],
    extraParameters: false,
    defaults: { ...dallE.defaults, delivery: 'url' },
  },
  {
    name: 'dall-e-3',
    ...dallE,
    promptCharacters: 4_000,
    maxCount: 1,
    sizes: ['1024x1024', '1792x1024', '1024x1792'],
    qualities: ['standard', 'hd'],
    styles: ['vivid', 'natural'],
    // Sent even where it is the default: deployments differ in what they respond with, and links cost a download.
    responseFormats: ['url', 'b64_json'],
    defaults: { ...dallE.defaults, style: 'vivid' },
  },
  { name: 'gpt-image-1', ...gptImage },
  { name: 'gpt-image-1-mini', ...gptImage, inputFidelities: ['low'] },
  { name: 'gpt-image-1.5', ...gptImage },
  {
    name: 'gpt-image-2',
    ...gptImage,
    sizes: freeSizes,
    // Always high: Azure refuses the parameter whatever its value is.
    inputFidelities: [],
    defaults: { ...gptImage.defaults, inputFidelity: 'high' },
  },
  { name: 'gpt-image-2.5', ...gptImage, sizes: freeSizes, qualities: finerQualities, markup: true },
  { name: 'gpt-image-2.6', ...laterGptImage },
  { name: 'gpt-image', ...laterGptImage },
  { name: 'chatgpt-image', ...laterGptImage },
  { name: 'mai-image', ...maiImage },
  {
    name: 'mai-image-2.6',
    ...maiImage,
    sizes: ['WxH-mai-2.6'],
    maxInputs: 5,
    ownParameters: maiParameters,
  },
  { name: 'flux', ...flux },
  { name: 'flux-1.1', ...flux, operations: ['generate'] },
  { name: 'flux.1-kontext', ...flux, maxInputs: 1 },
  { name: 'flux.2', ...flux2 },
  { name: 'flux.2-pro', ...flux2, maxInputs: 8 },
  {
    name: 'flux.2-flex',
    ...flux2,
    sizes: ['WxH-flux-4mp'],
    ownParameters: {
      ...flux2.ownParameters,
      guidance: { type: 'number', min: 1.5, max: 10 },
      steps: { type: 'integer', min: 1, max: 50 },
    },
  },
];

/** The family with the longest matching prefix, in upper or lower case, with the overrides of protocol and operator. */
export function modelFamily(model: string, overrides: Partial<ModelCapabilities> = {}): ModelFamily {
  const name = model.toLowerCase();
  const [longest = unknownFamily] = modelFamilies
    .filter((family) => name.startsWith(family.name))
    .toSorted((one, other) => other.name.length - one.name.length);
  return { ...longest, ...overrides };
}
