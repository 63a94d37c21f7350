import { z } from 'zod';
import type { Checked, DialectTarget, JsonObject, KeyProblem } from '../../domain/dialect.ts';
import type { FreeProbe } from '../../domain/free-probe.ts';
import { agentCapabilities, toolCapabilities } from '../../domain/image-tool.ts';
import { printableName } from '../../domain/printable-name.ts';
import { apiVersion, deploymentName, versioned } from '../azure/azure-target.ts';
import type { ProviderDescriptor } from '../provider-descriptor.ts';

const schema = z.strictObject({
  apiVersion: apiVersion.exactOptional(),
  agent: printableName
    .exactOptional()
    .describe(
      'The agent of the Foundry project whose image tool draws; not needed where baseURL is the address of a published agent',
    ),
  agentVersion: printableName.exactOptional().describe('Its version; the newest one when left out'),
  chatDeployment: deploymentName
    .exactOptional()
    .describe('Instead of an agent: the deployment of a chat model, which is given the image tool'),
  imageDeployment: deploymentName
    .refine((name) => /^[ -~]*$/.test(name), 'must hold ASCII characters only: it stands in a header')
    .describe('The deployment of the image model, which the tool calls'),
  background: z
    .boolean()
    .exactOptional()
    .describe('true: a call only starts a job, which is polled, so that no connection has to wait for the image'),
  maxInlineImageChars: z
    .int()
    .min(1000)
    .exactOptional()
    .describe('The longest data URL, in characters, with which an image can be sent for an edit'),
});

/**
 * `baseURL` is the Foundry project, the resource, or the address of a published agent. With `chatDeployment` a chat model is
 * given the tool; otherwise the agent has it: the one that is named, or the one whose own address is called.
 */
export type FoundryAgentConfig = DialectTarget & z.output<typeof schema>;

/** What the models file says of such targets, and what that means. */
export const foundryTarget: Omit<ProviderDescriptor<FoundryAgentConfig>, 'create'> = {
  id: 'foundry-agent',
  schema,
  azurePath: /^\/(api\/projects\/.+)?$/i,
  address(url, entry) {
    const address = agentBaseURL(url, entry.agent !== undefined);
    return 'problem' in address ? address : { ok: { baseURL: address.ok } };
  },
  likelyPath(path, isAzure) {
    const [project = ''] = /\/api\/projects\/[^/]+/.exec(path) ?? [];
    if (isPublishedAgent(path)) return isAzure ? withoutResponses(path) : '/protocols/openai';
    return isAzure || project === '' ? project : '/api/projects/{name}';
  },
  conflicts,
  capabilities: ({ chatDeployment, maxInlineImageChars }) => ({
    ...(chatDeployment === undefined ? agentCapabilities : toolCapabilities),
    ...(maxInlineImageChars !== undefined && { maxInlineImageChars }),
  }),
  addresses: (config) => [{ url: responsesAddress(config).responses.href, remarks: remarksOf(config) }],
  probe,
};

/**
 * A Foundry project, the address of a published agent, or for a chat deployment also the resource; `/openai/v1` at the end
 * of a project or a resource is taken off, and `/responses` of any of them.
 */
export function agentBaseURL(url: string, hasAgent: boolean): Checked<string> {
  const project = 'https://my-resource.services.ai.azure.com/api/projects/my-project';
  if (isPublishedAgent(url)) return { ok: withoutResponses(url) };
  const root = url.replace(/\/openai(\/v1)?(\/responses)?$/, '');
  if (isProject(root)) return { ok: root };
  if (hasAgent) {
    return {
      problem: `must be the project of the agent, e.g. ${project}, or its own address, which ends in /protocols/openai`,
    };
  }
  if (root !== url || new URL(url).pathname === '/') return { ok: root };
  return { problem: `must be the resource itself, a project such as ${project}, or end in /openai/v1` };
}

/** Whether a URL, as the operator may write it, is that of one agent: one that was published, or an application. */
function isPublishedAgent(url: string): boolean {
  return /\/(?:agents\/[^/]+\/endpoint|applications\/[^/]+)\/protocols\/openai(?:\/responses)?\/*$/.test(url);
}

function withoutResponses(url: string): string {
  return url.replace(/(?:\/responses)?\/*$/, '');
}

function isProject(url: string): boolean {
  return /\/api\/projects\/[^/]+$/.test(url);
}

function conflicts(target: JsonObject): KeyProblem[] {
  const { agent, agentVersion, baseURL, chatDeployment, background, capabilities, upstreamStream } = target;
  const isPublished = typeof baseURL === 'string' && isPublishedAgent(baseURL);
  const streams = typeof capabilities === 'object' && (capabilities as JsonObject | null)?.streams === true;
  const checks: [boolean, ...KeyProblem][] = [
    [
      agent === undefined && chatDeployment === undefined && !isPublished,
      'agent',
      'is required, unless there is `chatDeployment`',
    ],
    [agent !== undefined && chatDeployment !== undefined, 'chatDeployment', 'excludes `agent`: give one of the two'],
    [
      chatDeployment !== undefined && isPublished,
      'chatDeployment',
      'excludes the address of a published agent: give that of the project or the resource',
    ],
    [agent === undefined && agentVersion !== undefined, 'agentVersion', 'means nothing without `agent`'],
    [
      upstreamStream === 'always' && !streams,
      'upstreamStream',
      'needs `capabilities.streams`: this provider streams only with that',
    ],
    [
      background === true && streams,
      'background',
      'excludes `capabilities.streams`: a job that is polled cannot stream',
    ],
  ];
  return checks.flatMap(([applies, ...problem]) => (applies ? [problem] : []));
}

function remarksOf({ agent, agentVersion, chatDeployment, imageDeployment, background }: FoundryAgentConfig): string[] {
  const caller =
    chatDeployment === undefined ? (agent === undefined ? 'published agent' : `agent ${agent}`) : undefined;
  return [
    caller ?? `chat deployment ${chatDeployment}`,
    ...(agentVersion === undefined ? [] : [`version ${agentVersion}`]),
    `draws with ${imageDeployment}`,
    ...(background ? ['in the background'] : []),
  ];
}

/** Projects tell about both their deployments and their agents; resources about neither. */
function probe(config: FoundryAgentConfig): FreeProbe {
  const { baseURL, apiVersion: version } = config;
  // Who may call a published agent need not be allowed to look into its project.
  if (isPublishedAgent(baseURL)) {
    return { credential: [versioned(`${baseURL}/models`, version)], parts: [], isProject: false };
  }
  if (!isProject(baseURL)) {
    return { credential: [versioned(`${baseURL}/openai/v1/models`, undefined)], parts: [], isProject: false };
  }
  return {
    credential: [versioned(`${baseURL}/deployments`, 'v1')],
    parts: projectParts(config).map(({ what, path }) => ({ what, url: versioned(`${baseURL}/${path}`, 'v1') })),
    isProject: true,
  };
}

function projectParts({ agent, agentVersion, chatDeployment, imageDeployment }: FoundryAgentConfig) {
  const image = { what: '`imageDeployment`', path: `deployments/${encodeURIComponent(imageDeployment)}` };
  if (chatDeployment !== undefined) {
    return [{ what: '`chatDeployment`', path: `deployments/${encodeURIComponent(chatDeployment)}` }, image];
  }
  if (agent === undefined) return [image];
  const path = `agents/${encodeURIComponent(agent)}`;
  if (agentVersion === undefined) return [{ what: '`agent`', path }, image];
  const version = `${path}/versions/${encodeURIComponent(agentVersion)}`;
  return [{ what: '`agent`, or its `agentVersion`,', path: version }, image];
}

/** Where one Responses API is called, and its jobs in the background are. */
export type ResponsesAddress = {
  readonly responses: URL;
  response(id: string): URL;
  cancel(id: string): URL;
};

type Options = {
  /** The project, the resource, or the address of a published agent, without a trailing slash. */
  readonly baseURL: string;
  /** Earlier documents give one. */
  readonly apiVersion?: string | undefined;
};

export function responsesAddress({ baseURL, apiVersion }: Options): ResponsesAddress {
  const root = baseURL.endsWith('/protocols/openai')
    ? baseURL
    : `${baseURL}/openai${apiVersion === undefined ? '/v1' : ''}`;
  const urlOf = (rest: string) => versioned(`${root}/responses${rest}`, apiVersion);
  return { responses: urlOf(''), response: (id) => urlOf(`/${id}`), cancel: (id) => urlOf(`/${id}/cancel`) };
}
