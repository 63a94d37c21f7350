import type { GenerationReport } from '../domain/generation.ts';

/** What the gateway tells about how it served a request. */
export function answerHeaders(report: GenerationReport): Record<string, string> {
  return {
    'x-gateway-model': printable(report.model),
    'x-gateway-target': printable(report.target),
    'x-gateway-attempts': String(report.attempts),
    ...(report.adaptations.length > 0 && { 'x-gateway-adapted': report.adaptations.join(', ') }),
    ...(report.upstreamMs !== undefined && { 'server-timing': `upstream;dur=${report.upstreamMs.toFixed(1)}` }),
  };
}

/** Names come from the configuration and may hold any character; headers may not. */
function printable(name: string): string {
  return /^[\x20-\x7e]*$/.test(name) ? name : encodeURIComponent(name);
}
