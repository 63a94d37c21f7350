import { z } from 'zod';
import { printableName } from '../../domain/printable-name.ts';

/** The `apiVersion` of a target. */
export const apiVersion = z
  .string({ error: apiVersionError })
  .regex(/^[A-Za-z0-9._-]+$/, 'must be an api-version such as 2025-04-01-preview')
  .describe('The api-version query parameter, e.g. 2025-04-01-preview');

/** Name of a deployment; a dot name would be a path step once it stands in a URL. */
export const deploymentName = printableName
  .refine((name) => name !== '.' && name !== '..', 'must not be `.` or `..`')
  .describe('Name of the deployment in the Azure resource');

/** The newest api-version that is generally available: its reference has the list of models. */
export const knownVersion = '2024-10-21';

/** An address with its `api-version` parameter; `undefined`: without one. */
export function versioned(address: string, apiVersion: string | undefined): URL {
  const url = new URL(address);
  if (apiVersion !== undefined) url.searchParams.set('api-version', apiVersion);
  return url;
}

export function endsWithV1(url: string): boolean {
  return url.endsWith('/v1');
}

/** The end of an address that somebody has copied from a request, or the project of an agent. */
export function endsLikeRequest(url: string): boolean {
  return /\/(images\/(generations|edits|variations)(:submit)?|chat\/completions|responses|api\/projects\/[^/]+(\/openai)?)$/.test(
    url,
  );
}

/** A base URL that ends with a deployment: what stands before its name, and the name as the URL writes it. */
export function deploymentIn(url: string): { readonly parent: string; readonly encoded: string } | undefined {
  const [, parent, encoded] = /^(.*\/deployments)\/([^/]+)$/.exec(url) ?? [];
  return parent === undefined || encoded === undefined ? undefined : { parent, encoded };
}

// Only deployment addressing makes apiVersion a required key, so only there can it be missing.
function apiVersionError(issue: { readonly input?: unknown }) {
  if (issue.input !== undefined) return undefined;
  return 'is required: deployment addressing needs an api-version, e.g. 2025-04-01-preview';
}
