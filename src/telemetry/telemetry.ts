import type { Logger } from 'pino';
import type { GatewayState } from '../domain/gateway-state.ts';
import type { AttemptRecord, Recorder } from '../domain/recorder.ts';
import type { RequestRecorder } from '../domain/request-record.ts';
import { attemptLevel, attemptLine } from './attempt-line.ts';
import { createMetrics } from './metrics.ts';
import type { ReloadRecorder } from './reload-metrics.ts';
import { levelOf, wideRecord } from './wide-record.ts';

export type Telemetry = Recorder &
  RequestRecorder &
  ReloadRecorder & {
    /** Where the state of the gateway can be read from now on. */
    watch(read: () => GatewayState): void;
    metrics(): Promise<string>;
  };

/** Counters and log lines. */
export function createTelemetry(logger: Logger): Telemetry {
  const { text, ...metrics } = createMetrics();
  return {
    ...metrics,
    requestEnded(record, end) {
      metrics.requestEnded(record, end);
      logger[levelOf(record, end)](wideRecord(record, end), 'request');
    },
    attemptEnded(attempt: AttemptRecord) {
      metrics.attemptEnded(attempt);
      const level = attemptLevel(attempt);
      if (logger.isLevelEnabled(level)) logger[level](attemptLine(attempt), 'attempt');
    },
    metrics: text,
  };
}
