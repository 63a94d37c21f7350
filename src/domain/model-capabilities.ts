import type { InputMediaType } from './image-input.ts';
import type { Delivery, ImageRequest, Operation, RequestDefaults } from './image-request.ts';

/**
 * The values that a parameter takes. `any`: the upstream decides. An empty list: there is no such parameter.
 * Among sizes the words of `parameters/size-rules.ts`, such as `WxH`, stand for every size within a rule.
 */
export type Values = readonly string[] | 'any';

/** How far a parameter goes that no image API of OpenAI's shape documents, but that some callers send. */
export const seedSupport = ['supported', 'undocumented', 'refused'] as const;

/** What a parameter takes that OpenAI's Images API does not have. */
export type OwnParameter =
  | {
      readonly type: 'integer' | 'number';
      readonly min?: number;
      readonly max?: number;
    }
  | {
      readonly type: 'boolean';
      /** It may not be `true`: why, for the end of a sentence. */
      readonly isOff?: string;
    }
  | {
      readonly type: 'ratio';
    };

/** What the models of one family can do, as data. */
export type ModelCapabilities = {
  readonly operations: readonly Operation[];
  /** The longest prompt, in UTF-16 units. */
  readonly promptCharacters: number;
  /** The most images that one call makes. */
  readonly maxCount: number;
  /** Whether the upstream can respond with a stream of events. */
  readonly streams: boolean;
  /** The most images that one streamed call makes. */
  readonly maxStreamedCount: number;
  readonly sizes: Values;
  /** The sizes of edits; without it, those of generations. */
  readonly editSizes?: Values;
  readonly qualities: Values;
  readonly backgrounds: Values;
  readonly outputFormats: Values;
  /** The output formats that `output_compression` can be combined with. */
  readonly compressionFormats: Values;
  readonly moderations: Values;
  readonly styles: Values;
  readonly inputFidelities: Values;
  /** The most images that one edit takes. */
  readonly maxInputs: number;
  /** Whether an edit takes a mask for its first image. */
  readonly mask: boolean;
  /** The types that the images of an edit may have. Mask and markup are PNG. */
  readonly inputTypes: readonly InputMediaType[];
  /** Whether an edit takes a drawing over its first image. */
  readonly markup: boolean;
  /** The longest data URL in which an image of an edit can be sent, in characters; Infinity where files are sent. */
  readonly maxInlineImageChars: number;
  /** The values of `response_format`; empty where the upstream refuses that parameter and always sends base64. */
  readonly responseFormats: readonly Delivery[];
  readonly seed: (typeof seedSupport)[number];
  /** Whether the upstream takes a name for the caller's end user: `user`, and `safety_identifier`. */
  readonly endUsers: boolean;
  /** Parameters that only these models have, by wire name. `width` and `height` are another form of `size`. */
  readonly ownParameters: Readonly<Record<string, OwnParameter>>;
  /** Whether parameters that the gateway does not know are forwarded. */
  readonly extraParameters: boolean;
  /** Whether an agent decides what its images are like: what is asked for can only become words of the prompt. */
  readonly agentDecides: boolean;
  /** Whether the upstream's API is not OpenAI's: what it does not know it may ignore, so nothing is forwarded as it came. */
  readonly isTranslated: boolean;
  /** What the upstream does when a parameter is left out, also where it cannot do anything else: never sent. */
  readonly defaults: RequestDefaults & Partial<Pick<ImageRequest, 'inputFidelity'>>;
};

/** What an operator may say otherwise about one target. */
export type CapabilityOverrides = Partial<
  Omit<
    ModelCapabilities,
    'defaults' | 'editSizes' | 'ownParameters' | 'maxInlineImageChars' | 'agentDecides' | 'isTranslated'
  >
>;
