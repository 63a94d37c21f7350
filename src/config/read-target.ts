import type { CredentialSource } from '../domain/credential-source.ts';
import { Secret } from '../domain/secret.ts';
import {
  agentBaseURL,
  asyncBaseURL,
  type Checked,
  checkAzurePath,
  deploymentBaseURL,
  isPublishedAgent,
  likelyBaseURL,
  normaliseBaseURL,
  v1BaseURL,
} from './base-url.ts';
import type { FoundryAgentTarget, TargetConfig } from './models-config.ts';
import { type JsonPath, type Report, suggest } from './problems.ts';
import type { JsonObject } from './read-json.ts';
import { checkHeaders, secretHeaders } from './target-headers.ts';
import { deploymentName, isProviderName, type ProviderName, providerNames, type TargetEntry } from './target-schema.ts';

/** Where a target is called and which deployment it names (azure-async names none). */
export type TargetAddress = { readonly baseURL: string; readonly deployment: string };

/** Reads the provider's name; an unknown one is reported with the known ones. */
export function readProvider(target: JsonObject, path: JsonPath, report: Report): ProviderName | undefined {
  const { provider } = target;
  if (isProviderName(provider)) return provider;
  const known = `must be one of ${providerNames.join(', ')}`;
  if (provider === undefined) report([...path, 'provider'], `is required: ${known}`);
  else if (typeof provider !== 'string') report([...path, 'provider'], 'must be a string');
  else report([...path, 'provider'], `unknown provider: ${known}${suggest(provider, providerNames)}`);
  return undefined;
}

/**
 * Works out a target's address from the unchecked entry, so that a bad address is found beside other mistakes.
 * A base URL that is missing or no string is left to the schema.
 */
export function readAddress(
  provider: ProviderName | undefined,
  target: JsonObject,
  path: JsonPath,
  report: Report,
): TargetAddress | undefined {
  if (typeof target.baseURL !== 'string') return undefined;
  const url = normaliseBaseURL(target.baseURL);
  const address = 'problem' in url || provider === undefined ? url : addressAt(provider, url.ok, target);
  if (address === undefined) return undefined;
  if ('problem' in address) {
    const meant = provider === undefined ? '' : meantAddress(provider, target.baseURL, target);
    report([...path, 'baseURL'], `${address.problem}${meant}`);
  } else if (typeof address.ok !== 'string') return address.ok;
  return undefined;
}

/** The address that was probably meant, for the end of a message; empty where it would not do, either. */
function meantAddress(provider: ProviderName, text: string, target: JsonObject): string {
  const likely = likelyBaseURL(provider, text);
  if (likely === undefined) return '';
  if (likely.startsWith('https:')) {
    const address = addressAt(provider, likely, target);
    if (address === undefined || 'problem' in address) return '';
  }
  const [, version] = /[?&]api-version=(\d{4}-\d\d-\d\d(?:-preview)?|preview)(?:[&#]|$)/.exec(text) ?? [];
  return `, did you mean \`${likely}\`${version === undefined ? '' : ` with the \`apiVersion\` ${version}`}?`;
}

/** Puts the parts of a valid target together. @param position counted from 0, for a target without a name */
export function buildTarget(entry: TargetEntry, address: TargetAddress, position: number): TargetConfig {
  const common = {
    name: entry.name ?? positionName(position),
    priority: entry.priority,
    weight: entry.weight,
    model: entry.model,
    baseURL: address.baseURL,
    credential: credentialOf(entry),
    downloadOrigins: entry.downloadOrigins.map((origin) => new URL(origin).origin),
    ...(entry.maxConcurrent !== undefined && { maxConcurrent: entry.maxConcurrent }),
    upstreamStream: entry.upstreamStream,
    capabilities: entry.capabilities ?? {},
    ...(entry.price && { price: entry.price }),
  };
  const { deployment } = address;
  switch (entry.provider) {
    case 'azure-async':
      return { ...common, provider: entry.provider, apiVersion: entry.apiVersion };
    case 'azure-deployment':
      return { ...common, provider: entry.provider, apiVersion: entry.apiVersion, deployment };
    case 'azure-v1': {
      const { apiVersion } = entry;
      return { ...common, provider: entry.provider, deployment, ...(apiVersion === undefined ? {} : { apiVersion }) };
    }
    case 'foundry-agent': {
      const { apiVersion, imageDeployment, maxInlineImageChars, background: isBackground = false } = entry;
      const artist = artistOf(entry);
      return {
        ...common,
        provider: entry.provider,
        apiVersion,
        artist,
        imageDeployment,
        isBackground,
        maxInlineImageChars,
      };
    }
  }
}

/** Reports keys that exclude each other, and what is missing where one of several is needed. False: it had to. */
export function checkTogether(target: JsonObject, path: JsonPath, report: Report): boolean {
  const problems = [
    ...credentialProblems(target),
    ...(target.provider === 'foundry-agent' ? agentProblems(target) : []),
  ];
  for (const [key, message] of problems) report([...path, key], message);
  const areHeadersWhole = checkHeaders(target.headers, [...path, 'headers'], report);
  return problems.length === 0 && areHeadersWhole;
}

/** The name of a target without a name of its own. @param position counted from 0 */
export function positionName(position: number): string {
  return String(position + 1);
}

function addressAt(provider: ProviderName, url: string, target: JsonObject): Checked<TargetAddress> | undefined {
  const address = addressBelow(provider, url, target);
  if (address === undefined || 'problem' in address) return address;
  const checked = checkAzurePath(provider, address.ok.baseURL);
  return 'problem' in checked ? checked : address;
}

function addressBelow(provider: ProviderName, url: string, target: JsonObject): Checked<TargetAddress> | undefined {
  const { deployment, model } = target;
  if (provider === 'azure-async') return withDeployment(asyncBaseURL(url), '');
  if (provider === 'foundry-agent') return withDeployment(agentBaseURL(url, target.agent !== undefined), '');
  if (provider === 'azure-v1') return withDeployment(v1BaseURL(url), stringOf(deployment) ?? stringOf(model) ?? '');
  // A deployment that is there but unusable has its own problem; the URL cannot be judged without it.
  if ('deployment' in target && !deploymentName.safeParse(deployment).success) return undefined;
  return deploymentBaseURL(url, stringOf(deployment));
}

type KeyProblem = readonly [key: string, message: string];

function credentialProblems({ apiKey, auth }: JsonObject): KeyProblem[] {
  if (apiKey === undefined && auth === undefined) return [['apiKey', 'is required, unless there is `auth`']];
  return apiKey !== undefined && auth !== undefined ? [['auth', 'excludes `apiKey`: give one of the two']] : [];
}

function agentProblems(target: JsonObject): KeyProblem[] {
  const { agent, agentVersion, baseURL, chatDeployment, background, capabilities, upstreamStream } = target;
  const isPublished = isPublishedAgent(stringOf(baseURL) ?? '');
  const streams = typeof capabilities === 'object' && (capabilities as JsonObject | null)?.streams === true;
  return [
    ...(agent === undefined && chatDeployment === undefined && !isPublished
      ? [['agent', 'is required, unless there is `chatDeployment`'] as const]
      : []),
    ...(agent !== undefined && chatDeployment !== undefined
      ? [['chatDeployment', 'excludes `agent`: give one of the two'] as const]
      : []),
    ...(chatDeployment !== undefined && isPublished
      ? [
          [
            'chatDeployment',
            'excludes the address of a published agent: give that of the project or the resource',
          ] as const,
        ]
      : []),
    ...(agent === undefined && agentVersion !== undefined
      ? [['agentVersion', 'means nothing without `agent`'] as const]
      : []),
    ...(upstreamStream === 'always' && !streams
      ? [['upstreamStream', 'needs `capabilities.streams`: this provider streams only with that'] as const]
      : []),
    ...(background === true && streams
      ? [['background', 'excludes `capabilities.streams`: a job that is polled cannot stream'] as const]
      : []),
  ];
}

function credentialOf({ apiKey, auth, headers }: TargetEntry): CredentialSource {
  const further = headers && { headers: secretHeaders(headers) };
  // One of the two is there: checkTogether has seen to that.
  return { ...(auth ? { scope: auth.entra.scope } : { apiKey: new Secret(apiKey ?? '') }), ...further };
}

type AgentEntry = Extract<TargetEntry, { provider: 'foundry-agent' }>;

function artistOf({ agent, agentVersion, chatDeployment }: AgentEntry): FoundryAgentTarget['artist'] {
  return chatDeployment === undefined ? { agent, version: agentVersion } : { chatDeployment };
}

function stringOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function withDeployment(url: Checked<string>, deployment: string): Checked<TargetAddress> {
  return 'problem' in url ? url : { ok: { baseURL: url.ok, deployment } };
}
