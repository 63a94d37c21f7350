import type { GatewayError } from '../domain/gateway-error.ts';
import { causeFacts, operatorHint } from '../telemetry/wide-record.ts';

/** Why there is no picture, whether it may have been billed all the same, and what can be done. */
export function describeFailure(error: GatewayError): string {
  const { kind, message, outcome, cause } = error;
  const hint = operatorHint(error);
  const facts = cause === undefined ? '' : ` ${JSON.stringify(causeFacts(cause))}`;
  return [
    `No picture: ${message}`,
    `  ${kind}${facts}`,
    ...(hint === undefined ? [] : [`  ${hint}`]),
    `  ${outcome === 'unknown' ? 'It may have been billed; look at the bill before you try again.' : 'Nothing was billed.'}`,
    '',
  ].join('\n');
}
