import type { Members } from '../images-answer.ts';
import type { ScenarioName } from '../scenarios.ts';

const late: readonly ScenarioName[] = ['agent-late-members', 'stream-late-members'];

/** The same members, but in two scenarios what is long comes first, and what tells the kind comes last. */
export function lateMembers(members: Members, scenario: ScenarioName): Members {
  if (!late.includes(scenario)) return members;
  const { type, status, result, output, ...rest } = members;
  return { result, output, ...rest, type, status };
}
