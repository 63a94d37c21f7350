import type { JsonObject } from '../domain/dialect.ts';
import type { QuotaLimits } from '../domain/quota-pools.ts';
import { frozenMap } from './config-file.ts';
import type { ModelsConfig } from './models-config.ts';
import { printName, type Report, suggest } from './problems.ts';
import { isObject } from './read-json.ts';

type WrittenQuota = { readonly requestsPerMinute?: number; readonly imagesPerMinute?: number };

/** What quotas allow, by name. @param quotas those of a valid file */
export function quotaLimits(quotas: Readonly<Record<string, WrittenQuota>> = {}): ReadonlyMap<string, QuotaLimits> {
  return frozenMap(
    Object.entries(quotas).map(([name, { requestsPerMinute: requests, imagesPerMinute: images }]) => [
      name,
      { ...(requests !== undefined && { requests }), ...(images !== undefined && { images }) },
    ]),
  );
}

/** Reports targets whose quota does not exist. @param file in its long form, not checked yet */
export function checkQuotas(file: JsonObject, report: Report): void {
  const names = Object.keys(isObject(file.quotas) ? file.quotas : {});
  for (const [model, entry] of Object.entries(isObject(file.models) ? file.models : {})) {
    const targets: readonly unknown[] = isObject(entry) && Array.isArray(entry.targets) ? entry.targets : [];
    for (const [index, target] of targets.entries()) {
      const name = isObject(target) ? target.quota : undefined;
      if (typeof name !== 'string' || names.includes(name)) continue;
      report(
        ['models', model, 'targets', index, 'quota'],
        `no entry of \`quotas\` has this name${suggest(name, names)}`,
      );
    }
  }
}

/** Warns about quotas that no target uses. */
export function warnAboutQuotas({ quotas, models }: Pick<ModelsConfig, 'quotas' | 'models'>, warn: Report): void {
  const used = new Set(models.flatMap(({ targets }) => targets.map(({ quota }) => quota)));
  for (const name of quotas.keys()) {
    if (!used.has(name)) warn(['quotas', name], `no target has \`quota\`: \`${printName(name)}\``);
  }
}
