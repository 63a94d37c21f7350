import { Counter, Histogram, type Registry } from 'prom-client';
import type { ConversionRecord } from '../domain/recorder.ts';

/** From a small image to the largest that is converted. In seconds. */
const buckets = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30];

/** What is counted of images that are converted. */
export function conversionMetrics(registry: Registry) {
  const registers = [registry];
  const conversions = new Counter({
    name: 'gateway_conversions_total',
    help: 'Images that were converted, or were to be: those that clients sent, and those that upstreams made',
    labelNames: ['from', 'to', 'kind', 'outcome'],
    registers,
  });
  const duration = new Histogram({
    name: 'gateway_conversion_duration_seconds',
    help: 'How long an image took to convert, without its wait for a permit',
    labelNames: ['kind'],
    buckets,
    registers,
  });
  return {
    addConversion({ from, to, kind, outcome, durationMs }: ConversionRecord): void {
      conversions.inc({ from: from?.replace('image/', '') ?? 'unknown', to, kind, outcome });
      duration.observe({ kind }, durationMs / 1000);
    },
  };
}
