import type { FastifyInstance } from 'fastify';
import type { Admission } from '../gateway/admission.ts';
import { releaseAtClose } from './release-at-close.ts';

/** So much of a body is in memory at most; the rest of an upload is on the disk. */
const heldBytes = 1024 * 1024;

/** Refuses what the process could not hold, before the body is read; lets go of its place when the answer has ended. */
export function admitRequests(app: FastifyInstance, admission: Admission): void {
  app.addHook('onRequest', async ({ method, headers }, { raw }) => {
    if (method !== 'POST') return;
    const length = Number(headers['content-length'] ?? heldBytes);
    releaseAtClose(raw, admission.enter(Math.min(length, heldBytes)));
  });
}
