import { type ScenarioDescription, type ScenarioName, type ScenarioReach, scenarios } from './scenarios.ts';

/** A chosen scenario. `value` is in the unit of the table (0 where there is none), `spelled` as the caller wrote it. */
export type Scenario = {
  readonly name: ScenarioName;
  readonly value: number;
  readonly spelled: string;
  readonly billed: boolean;
  readonly reach: ScenarioReach;
};

/** What a deployment's name and a prompt ask for: a scenario, or a name that the table does not have. */
type ScenarioChoice = { readonly scenario: Scenario } | { readonly unknownName: string };

const directive = /simulate:([\w-]+)/;
const table: readonly (ScenarioDescription & { name: ScenarioName })[] = scenarios;

function parseScenario(spelled: string): Scenario | undefined {
  const exact = table.find(({ name }) => name === spelled);
  if (exact !== undefined) return scenarioOf(exact, exact.value?.standard ?? 0, spelled);
  const match = /^(.+)-(\d{1,9})$/.exec(spelled);
  const valued = table.find(({ name, value }) => value !== undefined && name === match?.[1]);
  if (valued === undefined) return undefined;
  const value = Number(match?.[2]);
  return value > (valued.value?.maximum ?? Number.POSITIVE_INFINITY) ? undefined : scenarioOf(valued, value, spelled);
}

function scenarioOf(row: (typeof table)[number], value: number, spelled: string): Scenario {
  return { name: row.name, value, spelled, billed: row.billed, reach: row.reach };
}

/** The scenario of this name, with its standard value. */
export function scenarioCalled(name: ScenarioName): Scenario {
  const row = table.find((each) => each.name === name);
  if (row === undefined) throw new Error(`There is no scenario ${name}.`);
  return scenarioOf(row, row.value?.standard ?? 0, name);
}

/**
 * Picks the scenario of a call: `simulate:<scenario>` in the prompt, else `--<scenario>` at the end of the
 * deployment's name, else `none`. The prompt wins: it is for one call, the name for every call.
 */
export function chooseScenario(prompt: string, deployment = ''): ScenarioChoice {
  const separator = deployment.indexOf('--');
  const inDeployment = separator < 0 ? undefined : deployment.slice(separator + 2);
  const spelled = directive.exec(prompt)?.[1] ?? inDeployment ?? 'none';
  const scenario = parseScenario(spelled);
  return scenario === undefined ? { unknownName: spelled } : { scenario };
}
