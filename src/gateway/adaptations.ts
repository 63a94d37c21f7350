type Entry = {
  /** As `x-gateway-adapted` reports it. */
  readonly name: string;
  /** The wire name of the parameter that is satisfied otherwise. */
  readonly parameter: string;
  /** For a value that is replaced: what was asked for, and what is sent instead where the family takes that. */
  readonly from?: string;
  readonly to?: string;
  readonly meaning: string;
};

const oldSize = 'a size that older clients send by themselves, and the nearest one that newer models have';
const qualityName = 'the same step of quality under the name that the family gives it';

/** Everything that the gateway does itself under `adapt`; whatever does not stand here is refused (DESIGN §5). */
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
    meaning: 'the lowest quality of a family that knows no `low`',
  },
  { name: 'style=removed', parameter: 'style', meaning: 'the family has no styles' },
  { name: 'seed=removed', parameter: 'seed', meaning: 'the family has no seed' },
  { name: 'n=fan-out', parameter: 'n', meaning: 'several calls make what one call cannot' },
  { name: 'delivery=url', parameter: 'response_format', meaning: 'the gateway hosts the pictures' },
  { name: 'delivery=b64_json', parameter: 'response_format', meaning: 'the gateway downloads the pictures' },
  { name: 'stream=completed-only', parameter: 'stream', meaning: 'the gateway makes the one event per picture itself' },
  { name: 'partial_images=removed', parameter: 'partial_images', meaning: 'there are no previews without a stream' },
] as const satisfies readonly Entry[];

export type AdaptationName = (typeof table)[number]['name'];

export type Adaptation = Entry & { readonly name: AdaptationName };

/** The closed list. */
export const adaptations: readonly Adaptation[] = table;
