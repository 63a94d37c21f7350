import type { FastifyRequest } from 'fastify';

/** The simulator's origin as this client named it, so that links also work through a container's host name. */
export function requestOrigin(request: FastifyRequest): string {
  return `${request.protocol}://${request.host}`;
}

/**
 * Another origin for redirects. On loopback it is a second name of the simulator itself, so that the ledger shows
 * a client that follows and what it carries along; elsewhere it is a host that does not exist.
 */
export function otherOrigin(request: FastifyRequest): string {
  const origin = requestOrigin(request);
  if (origin.includes('//127.0.0.1')) return origin.replace('//127.0.0.1', '//localhost');
  if (origin.includes('//localhost')) return origin.replace('//localhost', '//127.0.0.1');
  return 'http://other.example.invalid';
}
