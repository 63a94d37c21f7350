import type { IncomingHttpHeaders } from 'node:http';
import type { Attempt } from '../../domain/image-provider.ts';

/** Keeps the id by which Azure's support finds a call; for the log only. */
export function noteRequestId(attempt: Attempt, headers: IncomingHttpHeaders): void {
  const id = headers['apim-request-id'] ?? headers['x-ms-request-id'] ?? headers['x-request-id'];
  if (typeof id === 'string' && /^[\x21-\x7e]{1,128}$/.test(id)) attempt.upstreamRequestId = id;
}
