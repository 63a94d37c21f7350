import { printName, type Report } from './json-path.ts';
import { suggest } from './suggest.ts';

/** Reports aliases that share a model's name or do not lead straight to a model. Values that are no string are skipped. */
export function checkAliases(
  aliases: Readonly<Record<string, unknown>>,
  models: readonly string[],
  report: Report,
): void {
  for (const [alias, target] of Object.entries(aliases)) {
    const path = ['aliases', alias];
    if (models.includes(alias)) report(path, 'a model has this name already');
    if (typeof target !== 'string' || models.includes(target)) continue;
    if (!Object.hasOwn(aliases, target)) report(path, `no model has this name${suggest(target, models)}`);
    else report(path, `points at another alias: point it at the model itself${nameOf(aliases[target], models)}`);
  }
}

/** Reports a default model that is neither a model nor an alias. */
export function checkDefaultModel(name: unknown, names: readonly string[], report: Report): void {
  if (typeof name !== 'string' || names.includes(name)) return;
  report(['defaultModel'], `no model or alias has this name${suggest(name, names)}`);
}

function nameOf(target: unknown, models: readonly string[]): string {
  return typeof target === 'string' && models.includes(target) ? `, \`${printName(target)}\`` : '';
}
