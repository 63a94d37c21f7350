import type { Delivery, OptionalMember } from '../domain/image-request.ts';

/** What the models of one family can do. */
export type ModelFamily = {
  /** The longest prompt, in characters. */
  readonly promptCharacters: number;
  /** The most pictures that one call gives. */
  readonly maxCount: number;
  /** The values of `response_format` that the upstream understands; it must not be sent where there is one only. */
  readonly deliveries: readonly Delivery[];
  /** The optional parameters that exist at all; `undefined`: the upstream decides. */
  readonly parameters?: readonly OptionalMember[];
};

const gptImage: ModelFamily = { promptCharacters: 32_000, maxCount: 10, deliveries: ['b64_json'] };

/** By prefix of the model's name; the longest prefix that fits counts. Limits as Azure documents them. */
const families: Readonly<Record<string, ModelFamily>> = {
  'dall-e-2': {
    promptCharacters: 1_000,
    maxCount: 5,
    deliveries: ['url'],
    parameters: ['count', 'size', 'user', 'delivery'],
  },
  'dall-e-3': { promptCharacters: 4_000, maxCount: 1, deliveries: ['url', 'b64_json'] },
  'gpt-image-': gptImage,
  'chatgpt-image-': gptImage,
};

/** Models that the table does not know yet: everything is left to the upstream. */
const unknownFamily: ModelFamily = { promptCharacters: 32_000, maxCount: 10, deliveries: ['url', 'b64_json'] };

export function modelFamily(model: string): ModelFamily {
  const [longest] = Object.keys(families)
    .filter((prefix) => model.toLowerCase().startsWith(prefix))
    .sort((one, other) => other.length - one.length);
  return (longest !== undefined && families[longest]) || unknownFamily;
}
