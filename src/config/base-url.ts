import { printableName } from './check-schema.ts';
import { isLoopback } from './network.ts';
import type { ProviderName } from './target-schema.ts';

/** A usable part of a target's address, or what is wrong with it in words that repeat none of it. */
export type Checked<T> = { readonly ok: T } | { readonly problem: string };

/**
 * Checks what is the same for every provider: an http or https URL without user info, query and fragment.
 *
 * @returns the URL in its normal form without trailing slashes
 */
export function normaliseBaseURL(text: string): Checked<string> {
  const url = URL.parse(text);
  // The URL parser would repair blanks, backslashes and a missing `//`; an address like that is a typing mistake.
  if (url === null || !/^https?:\/\/[^/]/i.test(text) || /[\s\\]/.test(text)) {
    return { problem: 'must be a full http or https URL such as https://my-resource.openai.azure.com' };
  }
  if (url.username !== '' || url.password !== '') return { problem: 'must not hold a user name or password' };
  if (url.protocol === 'http:' && !isLoopback(bareHost(url))) {
    return {
      problem: 'must begin with https: by http everybody on the way could read the key (only loopback may be http)',
    };
  }
  if (text.includes('?')) return { problem: 'must not have a query; the api-version belongs into `apiVersion`' };
  if (text.includes('#')) return { problem: 'must not have a fragment' };
  return { ok: `${url.origin}${url.pathname}`.replace(/\/+$/, '') };
}

/** `azure-async`: the resource root, where `/openai` at the end is taken off because the protocol adds it. */
export function asyncBaseURL(url: string): Checked<string> {
  if (endsWithV1(url) || deploymentIn(url) !== undefined || endsLikeRequest(url)) {
    return { problem: 'must be the resource itself: azure-async adds the path /openai/…' };
  }
  return { ok: url.replace(/\/openai$/, '') };
}

/** `azure-v1`: a bare resource gets `/openai/v1`, a path must already end in `/v1`. */
export function v1BaseURL(url: string): Checked<string> {
  if (endsWithV1(url)) return { ok: url };
  if (new URL(url).pathname === '/') return { ok: `${url}/openai/v1` };
  return { problem: 'must be the resource itself or end in /v1, e.g. https://my-resource.openai.azure.com/openai/v1' };
}

/**
 * `foundry-agent`: a Foundry project, the address of a published agent, or for a chat deployment also the resource;
 * `/openai/v1` at the end of a project or a resource is taken off, and `/responses` of any of them.
 */
export function agentBaseURL(url: string, hasAgent: boolean): Checked<string> {
  const project = 'https://my-resource.services.ai.azure.com/api/projects/my-project';
  if (isPublishedAgent(url)) return { ok: withoutResponses(url) };
  const root = url.replace(/\/openai(\/v1)?(\/responses)?$/, '');
  if (/\/api\/projects\/[^/]+$/.test(root)) return { ok: root };
  if (hasAgent) {
    return {
      problem: `must be the project of the agent, e.g. ${project}, or its own address, which ends in /protocols/openai`,
    };
  }
  if (root !== url || new URL(url).pathname === '/') return { ok: root };
  return { problem: `must be the resource itself, a project such as ${project}, or end in /openai/v1` };
}

/** Whether a URL, as the operator may write it, is that of one agent: one that was published, or an application. */
export function isPublishedAgent(url: string): boolean {
  return /\/(?:agents\/[^/]+\/endpoint|applications\/[^/]+)\/protocols\/openai(?:\/responses)?\/*$/.test(url);
}

function withoutResponses(url: string): string {
  return url.replace(/(?:\/responses)?\/*$/, '');
}

/** What follows the origin at a resource of Azure, which has no other paths. A front door may have any before these. */
const azurePaths: Readonly<Record<ProviderName, RegExp>> = {
  'azure-async': /^\/$/i,
  'azure-deployment': /^\/openai\/deployments\/[^/]+$/i,
  'azure-v1': /^(\/api\/projects\/[^/]+)?\/openai\/v1$/i,
  'foundry-agent': /^\/(api\/projects\/.+)?$/i,
};

/** Refuses the address of a target at a resource of Azure where nothing can answer. */
export function checkAzurePath(provider: ProviderName, url: string): Checked<string> {
  const { hostname, pathname } = new URL(url);
  if (!azureHost.test(hostname) || azurePaths[provider].test(pathname)) return { ok: url };
  return { problem: `has a path at which Azure has nothing for the provider ${provider}` };
}

/**
 * What somebody meant who has copied the address of a request, a project or another provider. All of it for resources of
 * Azure; of a front door's address only the end, because keys may stand in its path.
 */
export function likelyBaseURL(provider: ProviderName, text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username + url.password !== '') return undefined;
  const isAzure = azureHost.test(url.hostname);
  const end = likelyPath(provider, url.pathname, isAzure);
  if (isAzure) return `https://${url.host}${end}`;
  return end === '' ? undefined : `…${end}`;
}

function likelyPath(provider: ProviderName, path: string, isAzure: boolean): string {
  const [project = ''] = /\/api\/projects\/[^/]+/.exec(path) ?? [];
  const [, deployment] = /\/deployments\/([^/]+)/.exec(path) ?? [];
  switch (provider) {
    case 'azure-async':
      return '';
    case 'azure-deployment':
      if (deployment === undefined || project !== '') return '';
      return isAzure ? `/openai/deployments/${deployment}` : '/deployments/{name}';
    case 'azure-v1':
      if (isAzure) return path.includes('/v1') ? `${project}/openai/v1` : '/openai/v1';
      return path.includes('/v1/') ? '/v1' : '';
    case 'foundry-agent':
      if (isPublishedAgent(path)) return isAzure ? withoutResponses(path) : '/protocols/openai';
      return isAzure || project === '' ? project : '/api/projects/{name}';
  }
}

/** What deployment addressing needs: the URL up to and with the deployment, and the deployment's own name. */
export type DeploymentAddress = { readonly baseURL: string; readonly deployment: string };

/** `azure-deployment`: the deployment is named by the end of the URL, by the `deployment` key, or by both alike. */
export function deploymentBaseURL(url: string, deployment: string | undefined): Checked<DeploymentAddress> {
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

type FoundDeployment = { readonly parent: string; readonly encoded: string };

function deploymentIn(url: string): FoundDeployment | undefined {
  const [, parent, encoded] = /^(.*\/deployments)\/([^/]+)$/.exec(url) ?? [];
  return parent === undefined || encoded === undefined ? undefined : { parent, encoded };
}

function readDeployment(found: FoundDeployment, expected: string | undefined): Checked<DeploymentAddress> {
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

function endsWithV1(url: string): boolean {
  return url.endsWith('/v1');
}

/** The end of an address that somebody has copied from a request, or the project of an agent. */
function endsLikeRequest(url: string): boolean {
  return /\/(images\/(generations|edits|variations)(:submit)?|chat\/completions|responses|api\/projects\/[^/]+(\/openai)?)$/.test(
    url,
  );
}

const azureHost = /\.(openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)$/;

function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
