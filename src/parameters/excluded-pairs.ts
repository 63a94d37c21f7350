import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import { takes } from './allowed-values.ts';

/** Two parameters that exclude each other, at least with some values. */
export type ExcludedPair = {
  /** Wire names; the first one is named as the one at fault. */
  readonly names: readonly [string, string];
  /** The policies that refuse the pair. */
  readonly policies: readonly ParameterPolicy[];
  readonly reason: string;
  readonly isIn: (request: ImageRequest, capabilities: ModelCapabilities) => boolean;
};

const always = ['adapt', 'strict', 'pass'] as const;
const fitting = ['adapt', 'strict'] as const;
const strictly = ['strict'] as const;

const oldAndNew = 'the one belongs to the DALL·E models, the other to newer ones';

/**
 * The first two are the gateway's own rules, the next two facts of the formats; the rest is what careful connectors of
 * Azure images refuse (CONTRACTS §1.8), because no model knows both.
 */
export const excludedPairs: readonly ExcludedPair[] = [
  {
    names: ['stream', 'response_format'],
    policies: always,
    reason: "a stream carries base64, so 'response_format' cannot be 'url'",
    isIn: ({ stream, delivery }) => stream && delivery === 'url',
  },
  {
    names: ['partial_images', 'stream'],
    policies: always,
    reason: "previews are sent in a stream only, so 'stream' must be true",
    isIn: ({ stream, partialImages }) => !stream && partialImages > 0,
  },
  {
    names: ['background', 'output_format'],
    policies: fitting,
    reason: "'jpeg' cannot be 'transparent'",
    isIn: ({ background, outputFormat }) => background === 'transparent' && outputFormat === 'jpeg',
  },
  {
    names: ['output_compression', 'output_format'],
    policies: fitting,
    reason: "the format has no compression level, and neither has 'png' where it is the default",
    isIn: ({ outputCompression, outputFormat }, { defaults, outputFormats, compressionFormats }) => {
      const format = outputFormat ?? defaults.outputFormat;
      if (outputCompression === undefined || format === undefined) return false;
      return format === 'png' || (takes(outputFormats, format) && !takes(compressionFormats, format));
    },
  },
  {
    names: ['style', 'output_format'],
    policies: strictly,
    reason: oldAndNew,
    isIn: ({ style, outputFormat }) => style !== undefined && outputFormat !== undefined,
  },
  {
    names: ['response_format', 'output_format'],
    policies: strictly,
    reason: oldAndNew,
    isIn: ({ delivery, outputFormat }) => delivery !== undefined && outputFormat !== undefined,
  },
  {
    names: ['response_format', 'background'],
    policies: strictly,
    reason: oldAndNew,
    isIn: ({ delivery, background }) => delivery !== undefined && background !== undefined,
  },
  {
    names: ['response_format', 'seed'],
    policies: strictly,
    reason: oldAndNew,
    isIn: ({ delivery, extra }) => delivery !== undefined && Object.hasOwn(extra, 'seed'),
  },
];

/** The pairs of a request that a policy refuses. */
export function conflictsIn(
  request: ImageRequest,
  capabilities: ModelCapabilities,
  policy: ParameterPolicy,
): readonly ExcludedPair[] {
  return excludedPairs.filter(({ policies, isIn }) => policies.includes(policy) && isIn(request, capabilities));
}
