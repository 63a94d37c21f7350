import type { ModelCapabilities, OwnParameter } from './model-capabilities.ts';

/** `size` in the words of models that take its edges, in pixels. */
const edges: Readonly<Record<string, OwnParameter>> = {
  width: { type: 'integer', min: 1 },
  height: { type: 'integer', min: 1 },
};

/** What MAI-Image and FLUX have in common: nothing of OpenAI's parameters but the size, in edges, and the format. */
export const foundryModelCapabilities = {
  maxCount: 1,
  streams: false,
  qualities: [],
  backgrounds: [],
  compressionFormats: [],
  moderations: [],
  styles: [],
  inputFidelities: [],
  mask: false,
  markup: false,
  responseFormats: [],
  endUsers: false,
  ownParameters: edges,
  extraParameters: false,
  isTranslated: true,
  defaults: { background: 'opaque', outputCompression: 100, delivery: 'b64_json' },
} as const satisfies Partial<ModelCapabilities>;

/** What MAI-Image-2.6 takes beside its prompt, as far as callers may always ask for it. */
export const maiParameters: Readonly<Record<string, OwnParameter>> = {
  ...edges,
  auto_aspect_ratio: { type: 'boolean' },
  // A search of the web tells others what the prompt is about.
  web_grounding: { type: 'boolean', isOff: 'the operator of this gateway has not allowed it' },
};

/**
 * What Azure's provider API of FLUX takes, as far as it is documented:
 * https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-flux
 */
export const fluxApiCapabilities = {
  ...foundryModelCapabilities,
  sizes: ['WxH-flux'],
  outputFormats: ['png', 'jpeg'],
  seed: 'supported',
  ownParameters: {
    ...edges,
    seed: { type: 'integer' },
    aspect_ratio: { type: 'ratio' },
    safety_tolerance: { type: 'integer', min: 0, max: 6 },
  },
} as const satisfies Partial<ModelCapabilities>;
