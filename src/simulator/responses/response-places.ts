import type { FastifyReply, FastifyRequest } from 'fastify';
import { apiVersionOf, isV1Version } from '../address-call.ts';
import { resourceNotFound } from '../azure-errors.ts';
import { sendPlain } from '../send-answer.ts';

/** Where responses are made and found (CONTRACTS §3.4). */
export type ResponsePlace = {
  readonly path: string;
  /** Agents and tokens of their own are a project's. */
  readonly isInProject: boolean;
  serves(apiVersion: unknown): boolean;
};

/** The three paths: of a resource, of a project, and of a project as earlier documents have it. */
export const responsePlaces: readonly ResponsePlace[] = [
  { path: '/openai/v1/responses', isInProject: false, serves: isV1Version },
  { path: '/api/projects/:project/openai/v1/responses', isInProject: true, serves: isV1Version },
  {
    path: '/api/projects/:project/openai/responses',
    isInProject: true,
    serves: (version) => typeof version === 'string' && /^(?:v1|\d{4}-\d{2}-\d{2}(?:-preview)?)$/.test(version),
  },
];

/** Makes the check of the api-version. */
export function requireVersion({ serves }: ResponsePlace) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> =>
    serves(apiVersionOf(request)) ? undefined : sendPlain(reply, resourceNotFound());
}

/** The project that the path names; undefined where it names none. */
export function projectOf({ params }: FastifyRequest): string | undefined {
  return (params as { project?: string }).project;
}
