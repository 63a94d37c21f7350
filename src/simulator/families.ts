/**
 * What one model family of the make-believe Azure accepts (CONTRACTS §3.2 and §4).
 * Lengths are UTF-16 units of the prompt, sizes `WxH` in pixels.
 */
export type Family = {
  /** The canonical model name, and the prefix that a deployment's name starts with. */
  readonly name: string;
  readonly kind: 'dall-e-2' | 'dall-e-3' | 'gpt-image';
  readonly sizes: readonly string[];
  /** True when any `WxH` within the pixel rule is accepted besides `sizes`. */
  readonly freeSizes: boolean;
  readonly qualities: readonly string[];
  readonly maximumCount: number;
  readonly maximumPromptLength: number;
};

const standardSizes = ['auto', '1024x1024', '1536x1024', '1024x1536'];
const gptImageQualities = ['auto', 'low', 'medium', 'high'];

function gptImage(name: string, abilities: Partial<Family> = {}): Family {
  return {
    name,
    kind: 'gpt-image',
    sizes: standardSizes,
    freeSizes: false,
    qualities: gptImageQualities,
    maximumCount: 10,
    maximumPromptLength: 32_000,
    ...abilities,
  };
}

/** The families the simulator knows (CONTRACTS §4). `dall-e-2` speaks the legacy flow only, as at Azure. */
export const families: readonly Family[] = [
  {
    name: 'dall-e-2',
    kind: 'dall-e-2',
    sizes: ['256x256', '512x512', '1024x1024'],
    freeSizes: false,
    qualities: [],
    maximumCount: 5,
    maximumPromptLength: 1000,
  },
  {
    name: 'dall-e-3',
    kind: 'dall-e-3',
    sizes: ['1024x1024', '1792x1024', '1024x1792'],
    freeSizes: false,
    qualities: ['standard', 'hd'],
    maximumCount: 1,
    maximumPromptLength: 4000,
  },
  gptImage('gpt-image-1'),
  gptImage('gpt-image-1-mini'),
  gptImage('gpt-image-1.5'),
  gptImage('gpt-image-2', { freeSizes: true }),
  gptImage('gpt-image-2.5', { freeSizes: true, qualities: [...gptImageQualities, 'xhigh', 'max'] }),
];

const longestFirst = families.toSorted((one, other) => other.name.length - one.name.length);

/** The family of a deployment named `<family>[anything][--<scenario>]`, or undefined when no family's name fits. */
export function familyOf(deployment: string): Family | undefined {
  return longestFirst.find(({ name }) => deployment.startsWith(name));
}

/**
 * Says whether a deployment of this family exists under an api-version of the deployments path.
 * Source: the version table of CONTRACTS §3.2; `preview` stands for the newest preview.
 */
export function servesApiVersion(family: Family, apiVersion: string): boolean {
  if (apiVersion === 'preview') return true;
  const match = /^(\d{4}-\d{2}-\d{2})(-preview)?$/.exec(apiVersion);
  const date = match?.[1];
  if (date === undefined) return false;
  const isPreview = match?.[2] !== undefined;
  // CONTRACTS §3.2: GPT image needs a preview version, 2025-04-01-preview or later.
  if (family.kind === 'gpt-image') return isPreview && date >= '2025-04-01';
  // CONTRACTS §3.2: dall-e-3 began with 2023-12-01-preview, and with 2024-02-01 among the stable versions.
  return date >= (isPreview ? '2023-12-01' : '2024-02-01');
}
