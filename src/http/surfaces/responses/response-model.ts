import { imageDeploymentHeader } from '../../../domain/image-tool.ts';
import type { ModelCatalog } from '../../../targets/model-catalog.ts';

/** All names in a request that may be that of an image model. */
export type ModelNames = {
  readonly agent: string | undefined;
  /** Of the header. */
  readonly deployment: string | undefined;
  readonly tool: string | undefined;
  readonly model: string | undefined;
};

type Known = {
  readonly catalog: Pick<ModelCatalog, 'namesOf' | 'find'>;
  readonly models: ReadonlySet<string> | undefined;
};

/**
 * The name of the model to be called. An agent is one, whatever else is named; otherwise it is the first name that is known, since
 * the others may be those of chat models. `ignored`: members and headers that name another model.
 */
export function chooseModel(
  { agent, deployment, tool, model }: ModelNames,
  { catalog, models }: Known,
): { name: string | undefined; ignored: readonly string[] } {
  const given = Object.entries({
    agent_reference: agent,
    [imageDeploymentHeader]: deployment,
    'tools.model': tool,
    model,
  }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const known = new Set(catalog.namesOf(models));
  const chosen = agent ?? given.find(([, name]) => known.has(name))?.[1] ?? given[0]?.[1];
  // Two names may be aliases of one model.
  const isAlias = (name: string) =>
    known.has(name) && known.has(chosen ?? '') && catalog.find(name, models) === catalog.find(chosen, models);
  const isSame = (name: string) => name === chosen || isAlias(name);
  return { name: chosen, ignored: given.filter(([, name]) => !isSame(name)).map(([member]) => member) };
}
