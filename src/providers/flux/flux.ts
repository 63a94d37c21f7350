import { z } from 'zod';
import type { DialectTarget, JsonObject, KeyProblem } from '../../domain/dialect.ts';
import { fluxApiCapabilities } from '../../domain/foundry-models.ts';
import { apiVersion, deploymentName, endsLikeRequest, versioned } from '../azure/azure-target.ts';
import {
  foreignModel,
  isBehindV1,
  onlyProtocolOf,
  resourceAddress,
  resourceOf,
  resourceProbe,
  uselessCapabilities,
} from '../azure/resource-address.ts';
import type { ProviderDescriptor } from '../provider-descriptor.ts';
import { fluxImages } from './flux-images.ts';

const schema = z.strictObject({
  apiVersion: apiVersion.default('preview'),
  deployment: deploymentName.exactOptional(),
  path: z
    .string()
    .regex(/^[a-z0-9][a-z0-9.-]{0,63}$/, 'must be the last part of a path, such as flux-2-pro')
    .exactOptional()
    .describe(
      'The last part of the path of the provider API, such as flux-2-pro; known from `model` for the current models',
    ),
  keyHeader: z
    .enum(['api-key', 'authorization'])
    .exactOptional()
    .describe(
      'The header that carries the key; when left out, authorization at *.api.cognitive.microsoft.com, and api-key elsewhere',
    ),
});

/** `baseURL` is the resource, and `deployment` goes into the body's `model`. */
export type FluxConfig = DialectTarget & {
  readonly apiVersion: string;
  readonly deployment: string;
  readonly path?: string;
  readonly keyHeader?: 'api-key' | 'authorization';
};

/** By the beginning of the model's name, in lower case. */
const paths: readonly (readonly [model: string, path: string])[] = [
  ['flux.2-pro', 'flux-2-pro'],
  ['flux.2-flex', 'flux-2-flex'],
  ['flux.1-kontext-pro', 'flux-kontext-pro'],
  ['flux-1.1-pro', 'flux-pro-1.1'],
];

const ownPath = /\/providers(\/blackforestlabs(\/v1(\/[^/]+)?)?)?$/;

/**
 * FLUX by the provider API of a Foundry resource (`…/providers/blackforestlabs/v1/…`):
 * https://learn.microsoft.com/azure/ai-foundry/foundry-models/how-to/use-foundry-models-flux
 */
export const flux: ProviderDescriptor<FluxConfig> = {
  id: 'flux',
  schema,
  azurePath: /^\/$/,
  claims: (entry) => isBehindV1(entry, 'flux'),
  address(url, entry) {
    const resource = resourceOf(url, ownPath);
    if (!endsLikeRequest(resource)) return { ok: resourceAddress(resource, entry) };
    return { problem: 'must be the resource itself, the gateway adds /providers/blackforestlabs/v1' };
  },
  likelyPath: () => '',
  conflicts,
  warnings: ({ model, capabilities }) => [
    ...foreignModel(model, 'flux'),
    ...uselessCapabilities(capabilities, { streams: false, mask: false, markup: false }),
  ],
  // The family of the others is what Azure's image API takes of them.
  capabilities: ({ model }) => (onlyProtocolOf(model) === 'flux' ? {} : fluxApiCapabilities),
  addresses: (config) => [{ url: addressOf(config).href, remarks: [`model ${config.deployment}`] }],
  create(config, deps) {
    const { deployment, keyHeader = defaultKeyHeader(config.baseURL) } = config;
    return fluxImages({ ...deps, url: addressOf(config), deployment, isKeyBearer: keyHeader === 'authorization' });
  },
  probe: ({ baseURL }) => resourceProbe(baseURL),
};

function conflicts({ model, path, baseURL }: JsonObject): KeyProblem[] {
  const isKnown = path !== undefined || typeof model !== 'string' || pathOf(model) !== undefined;
  const inURL = typeof baseURL === 'string' && /\/blackforestlabs\/v1\/[^/]+\/*$/.test(baseURL);
  if (isKnown) return [];
  const hint = inURL ? ': `baseURL` ends with it' : ', such as flux-2-pro';
  return [['path', `is required, because the path of this model is not known${hint}`]];
}

function pathOf(model: string): string | undefined {
  return paths.find(([name]) => model.toLowerCase().startsWith(name))?.[1];
}

function addressOf({ baseURL, model, path = pathOf(model), apiVersion: version }: FluxConfig): URL {
  return versioned(`${baseURL}/providers/blackforestlabs/v1/${path}`, version);
}

/** The two hosts of a resource are documented with different headers. */
function defaultKeyHeader(baseURL: string): 'api-key' | 'authorization' {
  return new URL(baseURL).hostname.endsWith('.api.cognitive.microsoft.com') ? 'authorization' : 'api-key';
}
