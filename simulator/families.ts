/**
 * What one model family of the simulated Azure accepts.
 * Lengths are UTF-16 units of the prompt, sizes `WxH` in pixels.
 */
export type Family = {
  /** The canonical model name, and the prefix that a deployment's name starts with. */
  readonly name: string;
  readonly kind: 'dall-e-2' | 'dall-e-3' | 'gpt-image' | 'flux' | 'flux-2' | 'mai';
  readonly sizes: readonly string[];
  /** True when any `WxH` within the family's pixel rule is accepted besides `sizes`. */
  readonly freeSizes: boolean;
  readonly qualities: readonly string[];
  readonly maximumCount: number;
  readonly maximumPromptLength: number;
  /** What its edits accept; absent where it has none. */
  readonly edits?: EditAbilities;
};

/** What the edits of a family accept beside the parameters of a generation. */
export type EditAbilities = {
  readonly maximumInputs: number;
  /** The values of `input_fidelity`; undefined where the parameter does not exist, empty where it is to be left out. */
  readonly inputFidelities?: readonly string[];
  readonly mask: boolean;
  readonly markup: boolean;
};

const standardSizes = ['auto', '1024x1024', '1536x1024', '1024x1536'];
const gptImageQualities = ['auto', 'low', 'medium', 'high'];
const gptImageEdits = { maximumInputs: 16, inputFidelities: ['high', 'low'], mask: true, markup: false };

function gptImage(name: string, edits: Partial<EditAbilities>, abilities: Partial<Family> = {}): Family {
  return {
    name,
    kind: 'gpt-image',
    sizes: standardSizes,
    freeSizes: false,
    qualities: gptImageQualities,
    maximumCount: 10,
    maximumPromptLength: 32_000,
    edits: { ...gptImageEdits, ...edits },
    ...abilities,
  };
}

// The image API serves two FLUX models; the limits are not stated there.
function flux(name: string): Family {
  return {
    name,
    kind: 'flux',
    sizes: [],
    freeSizes: true,
    qualities: [],
    maximumCount: 1,
    maximumPromptLength: 32_000,
    edits: { maximumInputs: 1, mask: false, markup: false },
  };
}

/** FLUX.2 is served by the API of its maker only, as the other two are, too. */
function flux2(name: string, maximumInputs: number): Family {
  const edits = { maximumInputs, mask: false, markup: false };
  return { ...flux(name), kind: 'flux-2', maximumCount: 10, edits };
}

function mai(name: string, maximumInputs: number): Family {
  return {
    name,
    kind: 'mai',
    sizes: [],
    freeSizes: true,
    qualities: [],
    maximumCount: 1,
    maximumPromptLength: 128_000,
    edits: { maximumInputs, mask: false, markup: false },
  };
}

/**
 * The families the simulator knows. `dall-e-2` exists in the legacy flow only, as at Azure; `FLUX`, `FLUX.2`
 * and `MAI-Image` stand for any other of their kind.
 */
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
  gptImage('gpt-image-1', {}),
  gptImage('gpt-image-1-mini', { inputFidelities: ['low'] }),
  gptImage('gpt-image-1.5', {}),
  gptImage('gpt-image-2', { inputFidelities: [] }, { freeSizes: true }),
  gptImage('gpt-image-2.5', { markup: true }, { freeSizes: true, qualities: [...gptImageQualities, 'xhigh', 'max'] }),
  flux('FLUX-1.1-pro'),
  flux('FLUX.1-Kontext-pro'),
  flux('FLUX'),
  flux2('FLUX.2-pro', 8),
  flux2('FLUX.2-flex', 10),
  flux2('FLUX.2', 10),
  mai('MAI-Image-2.6', 5),
  mai('MAI-Image-2.6-Flash', 5),
  mai('MAI-Image-2.5', 1),
  mai('MAI-Image', 1),
];

const withCapitals: readonly Family['kind'][] = ['flux', 'flux-2', 'mai'];
const maxFirst = families.toSorted((one, other) => other.name.length - one.name.length);

/**
 * The family of a deployment named `<family>[anything][--<scenario>]`, or undefined when no family's name fits.
 * Capitals do not matter for FLUX and MAI-Image, whose own names have some that deployments seldom repeat.
 */
export function familyOf(deployment: string): Family | undefined {
  const lowered = deployment.toLowerCase();
  return maxFirst.find(({ name, kind }) =>
    withCapitals.includes(kind) ? lowered.startsWith(name.toLowerCase()) : deployment.startsWith(name),
  );
}

/**
 * Says whether a deployment of this family exists under an api-version of the deployments path.
 * `preview` stands for the newest preview.
 */
export function servesApiVersion(family: Family, apiVersion: string): boolean {
  if (apiVersion === 'preview') return true;
  const match = /^(\d{4}-\d{2}-\d{2})(-preview)?$/.exec(apiVersion);
  const date = match?.[1];
  if (date === undefined) return false;
  const isPreview = match?.[2] !== undefined;
  // The documents call it with a preview version only.
  if (family.kind === 'flux') return isPreview;
  // GPT image needs a preview version, 2025-04-01-preview or later.
  if (family.kind === 'gpt-image') return isPreview && date >= '2025-04-01';
  // dall-e-3 began with 2023-12-01-preview, and with 2024-02-01 among the stable versions.
  return date >= (isPreview ? '2023-12-01' : '2024-02-01');
}

/** Says whether an api-version of the deployments path has edits at all: 2025-04-01-preview was the first. */
export function knowsEdits(apiVersion: string): boolean {
  if (apiVersion === 'preview') return true;
  return /^\d{4}-\d{2}-\d{2}-preview$/.test(apiVersion) && apiVersion >= '2025-04-01-preview';
}
