import type { DialectAddress, JsonObject, KeyProblem } from '../../domain/dialect.ts';
import type { CapabilityOverrides } from '../../domain/model-capabilities.ts';
import { versioned } from './azure-target.ts';

// Protocols at paths of their own at a resource: its address is what a target names, and the rest is added.

/** The resource of an address that may end in what is called at it. */
export function resourceOf(url: string, ownPath: RegExp): string {
  return url.replace(ownPath, '').replace(/\/openai(\/v1)?$/, '');
}

/** Where a target is called whose deployment is named like its model, unless it says otherwise. */
export function resourceAddress(baseURL: string, entry: JsonObject): DialectAddress {
  const name = [entry.deployment, entry.model].find((value) => typeof value === 'string');
  return { baseURL, deployment: String(name ?? '') };
}

/** Models that Azure serves by these protocols only, at no address of deployments and not behind the v1 path. */
const models = { flux: /^flux\.2/i, mai: /^mai-image/i } as const;

type OwnProtocol = keyof typeof models;

/** The only protocol that serves a model; `undefined`: others do. */
export function onlyProtocolOf(model: string): OwnProtocol | undefined {
  const ids = Object.keys(models) as OwnProtocol[];
  return ids.find((id) => models[id].test(model));
}

/** Whether the models file names a model of this protocol behind the v1 path. */
export function isBehindV1({ provider, model }: JsonObject, id: OwnProtocol): boolean {
  return provider === 'azure-v1' && typeof model === 'string' && onlyProtocolOf(model) === id;
}

/** A model whose name says that it is not one of this protocol. */
export function foreignModel(model: string, id: OwnProtocol): KeyProblem[] {
  const [word, title] = id === 'mai' ? ['mai-image', 'MAI-Image'] : ['flux', 'FLUX'];
  if (model.toLowerCase().startsWith(word)) return [];
  return [['model', `the provider ${id} serves ${title} only, so the parameters of another family may be ignored`]];
}

/** Overrides that say that the protocol can do what it has no words for. @param fixed what holds for all its models */
export function uselessCapabilities(overrides: CapabilityOverrides, fixed: CapabilityOverrides): KeyProblem[] {
  const names = Object.keys(fixed) as (keyof CapabilityOverrides)[];
  const useless = names.filter((name) => overrides[name] !== undefined && overrides[name] !== fixed[name]);
  return useless.map((name) => ['capabilities', `\`${name}\` cannot be ${overrides[name]} with this provider`]);
}

/** What the doctor asks: the list of models tells whether the key is known, and nothing that is free tells more. */
export function resourceProbe(baseURL: string) {
  return { credential: [versioned(`${baseURL}/openai/v1/models`, undefined)], parts: [], isProject: false } as const;
}
