import { z } from 'zod';
import type { DialectTarget } from '../../domain/dialect.ts';
import { maiParameters } from '../../domain/foundry-models.ts';
import { apiVersion, deploymentName, endsLikeRequest, versioned } from '../azure/azure-target.ts';
import {
  foreignModel,
  isBehindV1,
  resourceAddress,
  resourceOf,
  resourceProbe,
  uselessCapabilities,
} from '../azure/resource-address.ts';
import type { ProviderDescriptor } from '../provider-descriptor.ts';
import { type MaiAddress, maiImages } from './mai-images.ts';

const schema = z.strictObject({
  apiVersion: apiVersion.exactOptional(),
  deployment: deploymentName.exactOptional(),
  webGrounding: z
    .boolean()
    .exactOptional()
    .describe('true: callers may have the web searched for what their prompt is about (web_grounding)'),
});

/** `baseURL` is the resource, and `deployment` goes into the body's `model`. */
export type MaiConfig = DialectTarget & {
  readonly apiVersion?: string;
  readonly deployment: string;
  readonly webGrounding?: boolean;
};

const ownPath = /\/mai(\/v1(\/images(\/(generations|edits))?)?)?$/;

/**
 * MAI-Image at a Foundry resource (`…/mai/v1/images/…`):
 * https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-mai
 */
export const mai: ProviderDescriptor<MaiConfig> = {
  id: 'mai',
  schema,
  azurePath: /^\/$/,
  claims: (entry) => isBehindV1(entry, 'mai'),
  address(url, entry) {
    const resource = resourceOf(url, ownPath);
    if (endsLikeRequest(resource)) return { problem: 'must be the resource itself, the gateway adds /mai/v1' };
    return { ok: resourceAddress(resource, entry) };
  },
  likelyPath: () => '',
  warnings: ({ model, capabilities }) => [
    ...foreignModel(model, 'mai'),
    ...uselessCapabilities(capabilities, { streams: false, maxCount: 1, markup: false }),
  ],
  capabilities: ({ webGrounding = false }) =>
    webGrounding ? { ownParameters: { ...maiParameters, web_grounding: { type: 'boolean' } } } : {},
  addresses: (config) => [{ url: addressOf(config).generations.href, remarks: [`model ${config.deployment}`] }],
  create: (config, deps) => maiImages({ ...deps, address: addressOf(config) }),
  probe: ({ baseURL }) => resourceProbe(baseURL),
};

function addressOf({ baseURL, apiVersion: version, deployment }: MaiConfig): MaiAddress {
  return {
    generations: versioned(`${baseURL}/mai/v1/images/generations`, version),
    edits: versioned(`${baseURL}/mai/v1/images/edits`, version),
    deployment,
  };
}
