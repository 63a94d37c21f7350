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

/** Of a resource, of a project, of a project as earlier documents have it, and of a published agent, in two spellings. */
export const responsePlaces: readonly ResponsePlace[] = [
  { path: '/openai/v1/responses', isInProject: false, serves: isV1Version },
  { path: '/api/projects/:project/openai/v1/responses', isInProject: true, serves: isV1Version },
  { path: '/api/projects/:project/openai/responses', isInProject: true, serves: isAnyVersion },
  ...['agents/:agent/endpoint', 'applications/:agent'].map((agent) => ({
    path: `/api/projects/:project/${agent}/protocols/openai/responses`,
    isInProject: true,
    serves: (version: unknown) => version === undefined || isAnyVersion(version),
  })),
];

function isAnyVersion(version: unknown): boolean {
  return typeof version === 'string' && /^(?:v1|\d{4}-\d{2}-\d{2}(?:-preview)?)$/.test(version);
}

/** Makes the check of the api-version. */
export function requireVersion({ serves }: ResponsePlace) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply | undefined> =>
    serves(apiVersionOf(request)) ? undefined : sendPlain(reply, resourceNotFound());
}

/** The agent whose own address the path is; undefined where it is a project's or a resource's. */
export function publishedAgentOf({ params }: FastifyRequest): string | undefined {
  return (params as { agent?: string }).agent;
}

/** The project that the path names; undefined where it names none. */
export function projectOf({ params }: FastifyRequest): string | undefined {
  return (params as { project?: string }).project;
}
