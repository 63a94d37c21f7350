import type { ModelCapabilities } from './model-capabilities.ts';

/** Azure looks in this header for the deployment that the image tool of a chat model calls. */
export const imageDeploymentHeader = 'x-ms-oai-image-generation-deployment';

/** Options of the image tool that the Images API documents nowhere, and that callers may set all the same. */
export const furtherToolOptions = ['complexity', 'frame_count', 'frame_duration_ms', 'svg'] as const;

/**
 * What the image tool of the Responses API does otherwise than the model behind it. Whether Azure streams it is documented
 * in contradictory ways, so that is off until the operator says otherwise.
 */
export const toolCapabilities = {
  maxCount: 1,
  maxStreamedCount: 1,
  streams: false,
  styles: [],
  seed: 'refused',
  markup: false,
  responseFormats: [],
} as const satisfies Partial<ModelCapabilities>;

/** The same where an agent calls the tool: its definition holds the options, and a request with any is refused. */
export const agentCapabilities = {
  ...toolCapabilities,
  agentDecides: true,
  isTranslated: true,
} as const satisfies Partial<ModelCapabilities>;
