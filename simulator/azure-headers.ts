import { randomUUID } from 'node:crypto';

/** The headers that come with every Azure answer, with fresh request ids (CONTRACTS §3.2, headers). */
export function azureHeaders(): Record<string, string> {
  const requestId = randomUUID();
  return {
    'apim-request-id': requestId,
    'x-request-id': randomUUID(),
    'x-ms-request-id': requestId,
    'x-ms-client-request-id': requestId,
    'x-ms-region': 'Simulated Central',
    'x-ms-rai-invoked': 'true',
    'x-envoy-upstream-service-time': '42',
    'x-ratelimit-limit-requests': '1000000',
    'x-ratelimit-remaining-requests': '999999',
    'strict-transport-security': 'max-age=31536000; includeSubDomains; preload',
    'x-content-type-options': 'nosniff',
  };
}
