import type { ModelsConfig } from '../config/models-config.ts';
import { daysUntil } from '../domain/retirement.ts';
import { retirementOf } from '../parameters/retirements.ts';

/** So many days before a model ends its operator is told: as early as Azure tells its customers. */
const warningDays = 60;

/** One line for each target whose model ends soon, or has ended. @param now in milliseconds since 1970 */
export function retirementWarnings({ models }: Pick<ModelsConfig, 'models'>, now: number): readonly string[] {
  return models.flatMap(({ name, targets }) =>
    targets.flatMap((target) => {
      const retirement = retirementOf(target);
      if (retirement === undefined) return [];
      const { date, successor, source } = retirement;
      const days = daysUntil(date, now);
      if (days > warningDays) return [];
      const end =
        days > 0
          ? `is retired on ${date}, in ${days} day${days === 1 ? '' : 's'}`
          : `was retired on ${date}: it is tried last`;
      const advice = successor === undefined ? '' : `; deploy ${successor} instead`;
      const from = source === undefined ? '`retires`' : source;
      return [`model ${name}, target ${target.name}: ${target.model} ${end}${advice} (${from})`];
    }),
  );
}
