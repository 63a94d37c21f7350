import type { z } from 'zod';
import type { Dialect, JsonObject } from '../domain/dialect.ts';
import type { ModelsConfig, ResponsesConfig, TargetConfig } from './models-config.ts';
import type { responsesSchema } from './models-schema.ts';
import type { Report } from './problems.ts';
import { isObject } from './read-json.ts';
import { checkTogether, credentialSource, readAddress } from './read-target.ts';

type Models = Pick<ModelsConfig, 'models' | 'aliases'>;

/** `responses` of a models file. */
type Entry = z.output<typeof responsesSchema>;

/**
 * Reads what the schema cannot judge, from the entry before that was checked, so that all mistakes are found together.
 *
 * @param parsed the entry that its schema has found to be valid
 * @param models `undefined` while one of them is not valid: then nobody can say which deployment it has
 */
export function readResponses(
  { responses: entry }: JsonObject,
  parsed: Entry | undefined,
  { dialects, models }: { readonly dialects: readonly Dialect[]; readonly models: Models | undefined },
  report: Report,
): ResponsesConfig | undefined {
  if (!isObject(entry)) return undefined;
  const baseURL = isObject(entry.target) ? readBaseURL(entry.target, dialects, report) : undefined;
  const image = models && readImageModel(entry.imageModel, { ...models, baseURL }, report);
  if (parsed === undefined || baseURL === undefined) return undefined;
  return { target: { baseURL, credential: credentialSource(parsed.target) }, ...(image && { image }) };
}

/** The Responses API is a part of the v1 API: its address is that of a target with the provider azure-v1. */
function readBaseURL(target: JsonObject, dialects: readonly Dialect[], report: Report): string | undefined {
  const path = ['responses', 'target'];
  const dialect = dialects.find(({ id }) => id === 'azure-v1');
  if (dialect === undefined) throw new Error('forwarding needs the dialect azure-v1');
  const address = readAddress(dialect, target, path, report);
  const isWhole = checkTogether(undefined, target, path, report);
  return isWhole ? address?.baseURL : undefined;
}

/** The header that names the deployment to Azure holds a name of one in the same resource, in ASCII. */
function readImageModel(
  name: unknown,
  { models, aliases, baseURL }: Models & { readonly baseURL: string | undefined },
  report: Report,
): ResponsesConfig['image'] | undefined {
  if (typeof name !== 'string') return undefined;
  const path = ['responses', 'imageModel'];
  const model = models.find((one) => one.name === (aliases.get(name) ?? name));
  // A name that nothing has was reported with the file's other names.
  if (model === undefined) return undefined;
  // One of the same resource, where there is one; a resource has several hosts, so that others cannot be refused.
  const isThere = (target: TargetConfig) => new URL(target.baseURL).host === (baseURL && new URL(baseURL).host);
  const targets = [...model.targets.filter(isThere), ...model.targets];
  const deployment = targets.map(deploymentOf).find((found) => found !== undefined);
  if (deployment === undefined) {
    report(path, 'this model has no target with the provider azure-v1 or azure-deployment, so it names no deployment');
  } else if (!/^[!-~](?:[ -~]*[!-~])?$/.test(deployment)) {
    report(path, 'the deployment of this model must have an ASCII name: it stands in a header');
  } else return { model: model.name, deployment };
  return undefined;
}

function deploymentOf(target: TargetConfig): string | undefined {
  if (target.provider !== 'azure-v1' && target.provider !== 'azure-deployment') return undefined;
  return 'deployment' in target && typeof target.deployment === 'string' ? target.deployment : undefined;
}
