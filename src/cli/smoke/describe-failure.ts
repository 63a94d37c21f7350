import type { GatewayError } from '../../domain/gateway-error.ts';
import { describeUpstream, redactUpstream } from '../../domain/redact-upstream.ts';
import { isChatBilled, isContentRefusal } from '../../targets/outcome.ts';
import { causeFacts, operatorHint } from '../../telemetry/log-lines.ts';
import { smokePrompt } from './draw-once.ts';

/** Why there is no image, in Azure's own words, whether it may have been billed all the same, and what can be done. */
export function describeFailure(error: GatewayError): string {
  const { kind, message, cause, upstream } = error;
  const hint = operatorHint(error);
  const facts = cause === undefined ? '' : ` ${JSON.stringify(causeFacts(cause))}`;
  return [
    `No image: ${message}`,
    `  ${kind}${facts}`,
    ...(upstream === undefined ? [] : [`  ${describeUpstream(redactUpstream(upstream, [smokePrompt]))}`]),
    ...(hint === undefined ? [] : [`  ${hint}`]),
    `  ${describeCost(error)}`,
    '',
  ].join('\n');
}

function describeCost({ kind, outcome }: GatewayError): string {
  if (isChatBilled(kind)) return 'No image was billed, but what the chat model has read and written is.';
  if (isContentRefusal(kind)) return 'No image was billed; Azure does not say whether it bills the refused prompt.';
  if (outcome === 'unknown') return 'It may have been billed; look at the bill before you try again.';
  return 'Nothing was billed.';
}
