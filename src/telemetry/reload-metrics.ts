import { Counter, Gauge, type Registry } from 'prom-client';

/** `refused`: there was something wrong with the new configuration, and the old one goes on. */
export type ReloadResult = 'applied' | 'refused';

export type ReloadRecorder = { reloadEnded(result: ReloadResult): void };

/** How often the configuration was read again, and since when the one in force is in force. */
export function reloadMetrics(registers: Registry[]): ReloadRecorder {
  const reloads = new Counter({
    name: 'gateway_reloads_total',
    help: 'Configurations that were read while the process ran, by what became of them: applied, or refused',
    labelNames: ['result'],
    registers,
  });
  const appliedAt = new Gauge({
    name: 'gateway_reload_last_success_timestamp_seconds',
    help: 'When the configuration that is in force was read, in seconds since 1970',
    registers,
  });
  for (const result of ['applied', 'refused']) reloads.inc({ result }, 0);
  appliedAt.setToCurrentTime();
  return {
    reloadEnded(result) {
      reloads.inc({ result });
      if (result === 'applied') appliedAt.setToCurrentTime();
    },
  };
}
