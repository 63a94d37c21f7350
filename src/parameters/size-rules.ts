import { edgesOf } from '../domain/image-request.ts';

/** What holds for every size of a rule, in pixels. What is left out is not limited. */
type SizeRule = {
  readonly multipleOf?: number;
  readonly minEdge?: number;
  readonly maxEdge?: number;
  /** The longer edge is at most so many times the shorter one. */
  readonly maxRatio?: number;
  readonly minPixels?: number;
  readonly maxPixels?: number;
};

const megapixel = 1024 * 1024;

/** The words that stand for sizes in a family's list: every `WxH` within the rule. */
const rules = {
  /** GPT image 2 and later, as Azure's guide of its image models has it. */
  WxH: { multipleOf: 16, maxEdge: 3840, maxRatio: 3, minPixels: 655_360, maxPixels: 8_294_400 },
  /**
   * MAI-Image before 2.6: https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-mai. That the edges
   * are multiples of 16 is not documented there, but others are refused.
   */
  'WxH-mai': { multipleOf: 16, minEdge: 768, maxPixels: megapixel },
  /** MAI-Image-2.6 makes larger images than its page says; how large is not certain. */
  'WxH-mai-2.6': { multipleOf: 16, minEdge: 768 },
  /** FLUX: nothing that is certain of all of them. */
  'WxH-flux': {},
  'WxH-flux-4mp': { maxPixels: 4 * megapixel },
} as const satisfies Readonly<Record<string, SizeRule>>;

export type SizeRuleName = keyof typeof rules;

/** The entry of a list of sizes that stands for those of newer GPT image models. */
export const anySizeWithinRule: SizeRuleName = 'WxH';

/** Whether an entry of a list of sizes stands for more than itself. */
export function isSizeRule(entry: string): entry is SizeRuleName {
  return Object.hasOwn(rules, entry);
}

/** Whether a text is a `WxH` within the rule. */
export function isWithin(name: SizeRuleName, size: string): boolean {
  const { multipleOf = 1, minEdge = 1, maxEdge, maxRatio, minPixels = 0, maxPixels }: SizeRule = rules[name];
  const edges = edgesOf(size);
  if (edges === undefined) return false;
  const { width, height } = edges;
  const [short, long] = [Math.min(width, height), Math.max(width, height)];
  return (
    width % multipleOf === 0 &&
    height % multipleOf === 0 &&
    short >= minEdge &&
    isAtMost(long, maxEdge) &&
    isAtMost(long / short, maxRatio) &&
    width * height >= minPixels &&
    isAtMost(width * height, maxPixels)
  );
}

/** A rule in words, for messages and documents. */
export function sizeRuleInWords(name: SizeRuleName): string {
  const { multipleOf, minEdge, maxEdge, maxRatio, minPixels, maxPixels }: SizeRule = rules[name];
  const edges = [
    ...(multipleOf === undefined ? [] : [`multiples of ${multipleOf}`]),
    ...(minEdge === undefined ? [] : [`at least ${minEdge}`]),
    ...(maxEdge === undefined ? [] : [`at most ${maxEdge}`]),
  ];
  const limits = [
    ...(edges.length === 0 ? [] : [`edges that are ${listed(edges)}`]),
    ...(maxRatio === undefined ? [] : [`a ratio of at most ${maxRatio}:1`]),
    ...(minPixels === undefined ? [] : [`at least ${minPixels} pixels`]),
    ...(maxPixels === undefined ? [] : [`at most ${maxPixels} pixels`]),
  ];
  return limits.length === 0 ? 'any WxH' : `any WxH with ${listed(limits)}`;
}

function isAtMost(value: number, max: number | undefined): boolean {
  return max === undefined || value <= max;
}

function listed(parts: readonly string[]): string {
  return parts.length < 2 ? parts.join() : `${parts.slice(0, -1).join(', ')} and ${parts.at(-1)}`;
}
