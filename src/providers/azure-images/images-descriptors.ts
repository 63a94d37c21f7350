import { z } from 'zod';
import type { Checked, DialectAddress, DialectTarget, JsonObject } from '../../domain/dialect.ts';
import { printableName } from '../../domain/printable-name.ts';
import {
  apiVersion,
  deploymentIn,
  deploymentName,
  endsLikeRequest,
  endsWithV1,
  knownVersion,
  versioned,
} from '../azure/azure-target.ts';
import { onlyProtocolOf } from '../azure/resource-address.ts';
import type { ProviderDescriptor } from '../provider-descriptor.ts';
import { type AzureAddress, azureImages } from './azure-images.ts';

const deploymentSchema = z.strictObject({ apiVersion, deployment: deploymentName.exactOptional() });
const v1Schema = z.strictObject({
  apiVersion: apiVersion.exactOptional(),
  deployment: deploymentName.exactOptional(),
});

/** `baseURL` ends with `/deployments/{deployment, percent-encoded}`. */
export type AzureDeploymentConfig = DialectTarget & { readonly apiVersion: string; readonly deployment: string };

/** `baseURL` ends with `/v1`, and `deployment` goes into the body's `model`. */
export type AzureV1Config = DialectTarget & { readonly apiVersion?: string; readonly deployment: string };

/**
 * Deployment addressing (`…/openai/deployments/{name}/images/…?api-version=V`): Azure refuses a body whose `model` is
 * anything but the canonical model name, so it is left out.
 */
export const azureDeployment: ProviderDescriptor<AzureDeploymentConfig> = {
  id: 'azure-deployment',
  schema: deploymentSchema,
  azurePath: /^\/openai\/deployments\/[^/]+$/i,
  address(url, entry) {
    const { deployment } = entry;
    // A deployment that is there but unusable has its own problem; the URL cannot be judged without it.
    if ('deployment' in entry && !deploymentName.safeParse(deployment).success) return undefined;
    return deploymentBaseURL(url, textOf(entry, 'deployment'));
  },
  likelyPath(path, isAzure) {
    const [, deployment] = /\/deployments\/([^/]+)/.exec(path) ?? [];
    if (deployment === undefined || path.includes('/api/projects/')) return '';
    return isAzure ? `/openai/deployments/${deployment}` : '/deployments/{name}';
  },
  warnings({ apiVersion: version, model }, operations) {
    const only = onlyProtocolOf(model);
    if (only) return [['provider', `Azure serves this model by another protocol: use the provider ${only}`]];
    if (!operations.includes('edit') || !isBefore(version, firstWithEdits)) return [];
    return [['apiVersion', `this version does not support edits, which need ${firstWithEdits} or later`]];
  },
  addresses: (config) => [{ url: addressOf(config, undefined).generations.href, remarks: [] }],
  create: (config, deps) => azureImages({ ...deps, id: 'azure-deployment', address: addressOf(config, undefined) }),
  probe({ baseURL, apiVersion: version }) {
    const models = `${baseURL.slice(0, baseURL.lastIndexOf('/deployments/'))}/models`;
    // Not every version that makes images is certain to have the list.
    return { credential: [versioned(models, version), versioned(models, knownVersion)], parts: [], isProject: false };
  },
};

/** v1 addressing (`…/openai/v1/images/…`): the body's `model` is the deployment's name, and api-version is optional. */
export const azureV1: ProviderDescriptor<AzureV1Config> = {
  id: 'azure-v1',
  schema: v1Schema,
  azurePath: /^(\/api\/projects\/[^/]+)?\/openai\/v1$/i,
  address(url, entry) {
    const address = v1BaseURL(url);
    const deployment = textOf(entry, 'deployment') ?? textOf(entry, 'model') ?? '';
    return 'problem' in address ? address : { ok: { baseURL: address.ok, deployment } };
  },
  likelyPath(path, isAzure) {
    const [project = ''] = /\/api\/projects\/[^/]+/.exec(path) ?? [];
    if (isAzure) return path.includes('/v1') ? `${project}/openai/v1` : '/openai/v1';
    return path.includes('/v1/') ? '/v1' : '';
  },
  addresses: (config) => [{ url: addressOf(config, config.deployment).generations.href, remarks: [] }],
  create: (config, deps) => azureImages({ ...deps, id: 'azure-v1', address: addressOf(config, config.deployment) }),
  probe: ({ baseURL, apiVersion: version }) => ({
    credential: [versioned(`${baseURL}/models`, version)],
    parts: [],
    isProject: false,
  }),
};

function addressOf(config: AzureDeploymentConfig | AzureV1Config, model: string | undefined): AzureAddress {
  const { baseURL, apiVersion: version, deployment } = config;
  return {
    generations: versioned(`${baseURL}/images/generations`, version),
    edits: versioned(`${baseURL}/images/edits`, version),
    model,
    deployment,
  };
}

/** A bare resource gets `/openai/v1`, a path must already end in `/v1`. */
export function v1BaseURL(url: string): Checked<string> {
  if (endsWithV1(url)) return { ok: url };
  if (new URL(url).pathname === '/') return { ok: `${url}/openai/v1` };
  return { problem: 'must be the resource itself or end in /v1, e.g. https://my-resource.openai.azure.com/openai/v1' };
}

/** The deployment is named by the end of the URL, by the `deployment` key, or by both alike. */
export function deploymentBaseURL(url: string, deployment: string | undefined): Checked<Required<DialectAddress>> {
  const found = deploymentIn(url);
  if (found !== undefined) return readDeployment(found, deployment);
  if (url.includes('/deployments/'))
    return { problem: 'must end with /deployments/{name}, nothing may follow the name' };
  if (endsWithV1(url) || url.includes('/openai/v1/')) {
    return { problem: 'must not end in /v1: that address is for the provider azure-v1' };
  }
  if (endsLikeRequest(url))
    return { problem: 'must not end like a request: the gateway adds what follows the deployment' };
  if (deployment === undefined) {
    return { problem: 'names no deployment: end it with /deployments/{name}, or add the key `deployment`' };
  }
  return { ok: { baseURL: `${deploymentsOf(url)}/${encodeURIComponent(deployment)}`, deployment } };
}

function readDeployment(
  found: NonNullable<ReturnType<typeof deploymentIn>>,
  expected: string | undefined,
): Checked<Required<DialectAddress>> {
  const deployment = decode(found.encoded);
  if (!printableName.safeParse(deployment).success || deployment === undefined) {
    return { problem: 'holds an unusable deployment name' };
  }
  if (expected !== undefined && expected !== deployment) {
    return { problem: 'names another deployment than the key `deployment`; one of the two is enough' };
  }
  return { ok: { baseURL: `${found.parent}/${encodeURIComponent(deployment)}`, deployment } };
}

function deploymentsOf(url: string): string {
  if (url.endsWith('/deployments')) return url;
  return url.endsWith('/openai') ? `${url}/deployments` : `${url}/openai/deployments`;
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}

function textOf(entry: JsonObject, key: string): string | undefined {
  const value = entry[key];
  return typeof value === 'string' ? value : undefined;
}

/** Deployments have edits from this version on: https://learn.microsoft.com/azure/ai-foundry/openai/reference-preview */
const firstWithEdits = '2025-04-01-preview';

/** Versions begin with their day; one that does not is not judged. */
function isBefore(version: string, other: string): boolean {
  return /^\d{4}-\d\d-\d\d/.test(version) && version.slice(0, 10) < other.slice(0, 10);
}
