import type { furtherToolOptions } from '../domain/image-tool.ts';

type Entry = {
  /** As `x-gateway-adapted` reports it. */
  readonly name: string;
  /** The wire name of the parameter that is adapted. */
  readonly parameter: string;
  /** For a value that is replaced: what was asked for, and what is sent instead if the family takes it. */
  readonly from?: string;
  readonly to?: string;
  readonly meaning: string;
};

const oldSize = 'a default of older clients becomes the nearest size that newer models have';
const converted = 'the upstream is asked for the first format, and the gateway converts its images to the second';
const convertedInput = 'the family does not take this type, so the gateway converts the image before it is sent';
const qualityName = 'the same quality under the name that the family gives it';

/** Everything that the gateway does itself under `adapt`, apart from what it tells an agent. The rest is refused. */
const table = [
  { name: 'size=256x256>1024x1024', parameter: 'size', from: '256x256', to: '1024x1024', meaning: oldSize },
  { name: 'size=512x512>1024x1024', parameter: 'size', from: '512x512', to: '1024x1024', meaning: oldSize },
  { name: 'size=1792x1024>1536x1024', parameter: 'size', from: '1792x1024', to: '1536x1024', meaning: oldSize },
  { name: 'size=1024x1792>1024x1536', parameter: 'size', from: '1024x1792', to: '1024x1536', meaning: oldSize },
  { name: 'quality=hd>high', parameter: 'quality', from: 'hd', to: 'high', meaning: qualityName },
  { name: 'quality=high>hd', parameter: 'quality', from: 'high', to: 'hd', meaning: qualityName },
  { name: 'quality=standard>medium', parameter: 'quality', from: 'standard', to: 'medium', meaning: qualityName },
  { name: 'quality=medium>standard', parameter: 'quality', from: 'medium', to: 'standard', meaning: qualityName },
  {
    name: 'quality=low>standard',
    parameter: 'quality',
    from: 'low',
    to: 'standard',
    meaning: 'the lowest quality of a family that has no `low`',
  },
  { name: 'quality=removed', parameter: 'quality', meaning: 'the family has no qualities' },
  { name: 'output_format=png>webp', parameter: 'output_format', meaning: converted },
  {
    name: 'output_format=png>jpeg',
    parameter: 'output_format',
    meaning: `${converted}; transparent pixels become white`,
  },
  { name: 'output_format=jpeg>webp', parameter: 'output_format', meaning: converted },
  { name: 'output_format=jpeg>png', parameter: 'output_format', meaning: converted },
  { name: 'image=png>jpeg', parameter: 'image', meaning: convertedInput },
  { name: 'image=jpeg>png', parameter: 'image', meaning: convertedInput },
  { name: 'image=webp>png', parameter: 'image', meaning: convertedInput },
  {
    name: 'image=webp>jpeg',
    parameter: 'image',
    meaning: `${convertedInput}; as PNG it would be too long, or is not taken`,
  },
  { name: 'image=gif>png', parameter: 'image', meaning: convertedInput },
  {
    name: 'image=gif>jpeg',
    parameter: 'image',
    meaning: `${convertedInput}; as PNG it would be too long, or is not taken`,
  },
  { name: 'image=avif>jpeg', parameter: 'image', meaning: convertedInput },
  {
    name: 'image=avif>png',
    parameter: 'image',
    meaning: `${convertedInput}; it has transparency, or the family takes no JPEG`,
  },
  { name: 'image=heic>jpeg', parameter: 'image', meaning: convertedInput },
  {
    name: 'image=heic>png',
    parameter: 'image',
    meaning: `${convertedInput}; it has transparency, or the family takes no JPEG`,
  },
  { name: 'style=removed', parameter: 'style', meaning: 'the family has no styles' },
  { name: 'size=removed', parameter: 'size', meaning: 'the model gives its edits the size of their first image' },
  { name: 'user=removed', parameter: 'user', meaning: 'the model takes no name of an end user' },
  {
    name: 'safety_identifier=removed',
    parameter: 'safety_identifier',
    meaning: 'the model takes no name of an end user',
  },
  { name: 'seed=removed', parameter: 'seed', meaning: 'the family has no seed' },
  {
    name: 'seed=counted',
    parameter: 'seed',
    meaning: 'several calls make the images: the first gets the seed, each further one the next number',
  },
  { name: 'n=fan-out', parameter: 'n', meaning: 'several calls make the images, because one call cannot' },
  { name: 'n=fewer', parameter: 'n', meaning: 'the image service made fewer images than were asked for' },
  { name: 'delivery=url', parameter: 'response_format', meaning: 'the gateway hosts the images' },
  { name: 'delivery=b64_json', parameter: 'response_format', meaning: 'the gateway downloads the images' },
  {
    name: 'stream=completed-only',
    parameter: 'stream',
    meaning: 'the family cannot stream, so the gateway sends one event per complete image',
  },
  {
    name: 'partial_images=removed',
    parameter: 'partial_images',
    meaning: 'there are no partial images without a stream',
  },
  {
    name: 'partial_images=agent',
    parameter: 'partial_images',
    meaning: 'the agent decides how many partial images its stream has',
  },
] as const satisfies readonly Entry[];

/** What the prompt of an agent says in place of a parameter; `%` stands for the value. */
export const agentSentences = {
  mask: 'The last attached image is a mask: change the first image only where the mask is transparent.',
  size: 'The size of the image must be %.',
  quality: 'The quality of the image must be %.',
  background: 'The background of the image must be %.',
  output_format: 'The file format of the image must be %.',
  output_compression: 'The compression level of the image must be % percent.',
  moderation: 'The moderation level must be %.',
  input_fidelity: 'The fidelity to the attached images must be %.',
  complexity: 'The complexity of the image must be %.',
  frame_count: 'The number of frames must be %.',
  frame_duration_ms: 'Each frame must last % milliseconds.',
  svg: 'The SVG options must be %.',
  action: 'Edit what is attached; do not make an unrelated image.',
} as const satisfies Readonly<Record<string, string>> & Record<(typeof furtherToolOptions)[number], string>;

export type AgentParameter = keyof typeof agentSentences;

const byPrompt = (Object.entries(agentSentences) as [AgentParameter, string][]).map(([parameter, sentence]) => ({
  name: `${parameter}=prompt` as const,
  parameter,
  meaning: `the prompt tells the agent: “${sentence.replace('%', '…')}”`,
}));

export type AdaptationName = (typeof table)[number]['name'] | (typeof byPrompt)[number]['name'];

export type Adaptation = Entry & { readonly name: AdaptationName };

/** The closed list of adaptations. */
export const adaptations: readonly Adaptation[] = [...table, ...byPrompt];
