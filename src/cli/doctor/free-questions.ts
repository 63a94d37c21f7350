import { isPublishedAgent } from '../../config/base-url.ts';
import type { TargetConfig } from '../../config/models-config.ts';

/**
 * Free GET requests. Never a POST, not even one that Azure should refuse: it is not certain for every model that a body without a
 * prompt makes nothing.
 */
export type FreeQuestions = {
  /** Tried in order until one is not a 404. They succeed only with a valid credential. */
  readonly credential: readonly [URL, ...URL[]];
  /** A 404 means that what it names does not exist. Empty when no free call can tell. */
  readonly parts: readonly { readonly what: string; readonly url: URL }[];
};

/** The newest generally available version; its reference documents the list of models. */
const knownVersion = '2024-10-21';

/**
 * The free calls for a target. Resources list the models that can be deployed, not their deployments; Foundry projects list their
 * deployments and agents (https://learn.microsoft.com/rest/api/aifoundry/aiprojects/).
 */
export function freeQuestions(target: TargetConfig): FreeQuestions {
  const { baseURL } = target;
  switch (target.provider) {
    case 'azure-deployment': {
      const models = `${baseURL.slice(0, baseURL.lastIndexOf('/deployments/'))}/models`;
      // Not every version that makes images has the list.
      return { credential: [versioned(models, target.apiVersion), versioned(models, knownVersion)], parts: [] };
    }
    case 'azure-v1':
      return { credential: [versioned(`${baseURL}/models`, target.apiVersion)], parts: [] };
    case 'azure-async':
      return { credential: [versioned(`${baseURL}/openai/models`, knownVersion)], parts: [] };
    case 'foundry-agent':
      // A caller of a published agent may lack access to its project.
      if (isPublishedAgent(baseURL)) {
        return { credential: [versioned(`${baseURL}/models`, target.apiVersion)], parts: [] };
      }
      if (!isProject(target)) {
        return { credential: [versioned(`${baseURL}/openai/v1/models`, undefined)], parts: [] };
      }
      return {
        credential: [versioned(`${baseURL}/deployments`, 'v1')],
        parts: projectParts(target).map(({ what, path }) => ({ what, url: versioned(`${baseURL}/${path}`, 'v1') })),
      };
  }
}

/** Whether a target is a Foundry project, and not a resource. */
export function isProject({ baseURL }: TargetConfig): boolean {
  return /\/api\/projects\/[^/]+$/.test(baseURL);
}

type Agent = Extract<TargetConfig, { provider: 'foundry-agent' }>;

function projectParts({ artist, imageDeployment }: Agent): { what: string; path: string }[] {
  const image = { what: '`imageDeployment`', path: `deployments/${encodeURIComponent(imageDeployment)}` };
  if ('chatDeployment' in artist) {
    return [{ what: '`chatDeployment`', path: `deployments/${encodeURIComponent(artist.chatDeployment)}` }, image];
  }
  if (artist.agent === undefined) return [image];
  const agent = `agents/${encodeURIComponent(artist.agent)}`;
  if (artist.version === undefined) return [{ what: '`agent`', path: agent }, image];
  const version = `${agent}/versions/${encodeURIComponent(artist.version)}`;
  return [{ what: '`agent`, or its `agentVersion`,', path: version }, image];
}

function versioned(address: string, apiVersion: string | undefined): URL {
  const url = new URL(address);
  if (apiVersion !== undefined) url.searchParams.set('api-version', apiVersion);
  return url;
}
