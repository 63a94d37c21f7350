import type { Logger } from 'pino';
import type { GatewayState } from '../domain/gateway-state.ts';
import type { AttemptRecord, Recorder } from '../domain/recorder.ts';
import type { RequestRecorder } from '../domain/request-record.ts';
import { attemptLine, canonicalLine, levelOf, operatorHint } from './log-lines.ts';
import { createMetrics, type ReloadRecorder } from './metrics.ts';

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
      logger[levelOf(record, end)](canonicalLine(record, end), 'request');
    },
    attemptEnded(attempt: AttemptRecord) {
      metrics.attemptEnded(attempt);
      // One step of a request is for debugging, but what the operator can mend is shown even where another target helped.
      const level = attempt.error && operatorHint(attempt.error) !== undefined ? 'warn' : 'debug';
      if (logger.isLevelEnabled(level)) logger[level](attemptLine(attempt), 'attempt');
    },
    metrics: text,
  };
}
