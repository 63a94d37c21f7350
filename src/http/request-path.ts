import type { FastifyRequest } from 'fastify';

/**
 * Where clients look for the Images API: OpenAI's path, those of Azure's SDKs and v1 API, and what connectors make of a
 * base URL that ends in `/v1`. Any `api-version` is accepted.
 */
const roots = ['/v1', '/openai/v1', '/openai', '/openai/deployments/:deployment', '/v1/deployments/:deployment'];

/** The same for clients that cannot name a model. */
const withModel = (root: string) => `/m/:model${root}`;

export const imagesRoots: readonly string[] = [...roots, ...roots.map(withModel)];

/** The list of models is the same everywhere. */
export const modelsRoots: readonly string[] = imagesRoots.filter((root) => !root.endsWith(':deployment'));

/** The Responses API names its model in the body, so that Azure has it on no path of a deployment. */
export const responsesRoots: readonly string[] = modelsRoots;

const deploymentRoots = ['/openai/deployments/', '/v1/deployments/'];

/**
 * The path as the routes know it: a client may put the base URL that it was given and the path that it adds together in
 * ways that no route lists. Some SDKs put a model's name into the path without encoding it, so that its slashes look like
 * those of the path; they are encoded here. The legacy `:submit` may come encoded, too.
 */
export function routedUrl({ url = '/' }: { readonly url?: string | undefined }): string {
  return /^(?:\/openai)?\/v1\/(?:images\/(?:generations|edits)|models|responses)(?:\?|$)/.test(url)
    ? url
    : normalized(url);
}

function normalized(target: string): string {
  const { path, query } = splitTarget(target);
  const plain = withoutProject(withoutSpareSlashes(path)).replace(/%3asubmit$/i, ':submit');
  const { prefix, rest } = splitPrefix(plain);
  return `${prefix}${withDeploymentAsSegment(withOneRoot(rest))}${query}`;
}

/** Proxies may send the whole URL (RFC 9112, 3.2.2); its host says nothing here. The query begins with its `?`. */
export function splitTarget(target: string): { path: string; query: string } {
  const url = target.replace(/^https?:\/\/[^/?#]*\/?/i, '/');
  const queryAt = url.includes('?') ? url.indexOf('?') : url.length;
  return { path: url.slice(0, queryAt), query: url.slice(queryAt) };
}

function withoutSpareSlashes(path: string): string {
  const plain = path.replace(/\/{2,}/g, '/');
  return plain.length > 1 && plain.endsWith('/') ? plain.slice(0, -1) : plain;
}

/** Clients of a Foundry project call the v1 API below that. Here it says nothing: there is one list of models. */
function withoutProject(path: string): string {
  // Nearly no path has one, and none shall cost more than it has to.
  if (!path.includes('/api/projects/')) return path;
  return path.replace(/^((?:\/m\/.+?)?)\/api\/projects\/[^/]+(?=\/openai\/)/, '$1');
}

/** Where a surface begins: roots, and what they are the roots of. So few roots that the work stays linear. */
const surface = /^(?:\/(?:api|openai|v1)){1,4}\/(?:(?:images|models|responses)(?:\/|$)|(?:deployments|operations)\/)/;
const rootlessSurface = /^\/(?:images\/|(?:models|responses)(?:\/|$)|deployments\/)/;

/** More than either of them can match. */
const maxSurface = 48;

/** `/m/{model}`, if the path begins with it, and what follows: the first surface. A name may look like one. */
function splitPrefix(path: string): { prefix: string; rest: string } {
  if (!path.startsWith('/m/')) return { prefix: '', rest: path };
  const end = indexOfSurface(surface, path) ?? indexOfSurface(rootlessSurface, path);
  // Without a name, the root would be taken for one.
  if (end === undefined || /^\/m\/(?:api|openai|v1)$/.test(path.slice(0, end))) return { prefix: '', rest: path };
  return { prefix: `/m/${asSegment(path.slice(3, end))}`, rest: path.slice(end) };
}

/** Where the first match begins behind `/m/` and at least one character. */
function indexOfSurface(pattern: RegExp, path: string): number | undefined {
  for (let at = path.indexOf('/', 4); at !== -1; at = path.indexOf('/', at + 1)) {
    if (pattern.test(path.slice(at, at + maxSurface))) return at;
  }
  return undefined;
}

const rootsOfResource =
  /^(?:\/(?:api|openai|v1)){0,4}?(\/openai\/v1(?!\/deployments)|\/openai|\/v1)?(?=\/(?:images|models|responses|deployments|operations)(?:\/|$))/;

/** Where a base URL ends in one root, and the client adds another, the last one is meant. No root means `/v1`. */
function withOneRoot(path: string): string {
  const [given, root = '/v1'] = rootsOfResource.exec(path) ?? [];
  return given === undefined ? path : `${root}${path.slice(given.length)}`;
}

function withDeploymentAsSegment(path: string): string {
  const root = deploymentRoots.find((start) => path.startsWith(start));
  if (root === undefined) return path;
  const end = path.lastIndexOf('/images/');
  // Every deployment's jobs are the jobs of all.
  if (end > root.length && /^\/images\/(?:jobs|tasks)(?:\/|$)/.test(path.slice(end))) {
    return `${root.slice(0, -'/deployments/'.length)}${path.slice(end)}`;
  }
  if (end <= root.length) return modelsOfDeployment(path);
  // A client that adds `/v1/images/…` by itself.
  const name = path.slice(root.length, end).replace(/(?:\/(?:api|openai))?(?:\/v1){1,3}$/, '');
  return isWholeUrl(name) ? path : `${root}${asSegment(name)}${path.slice(end)}`;
}

/** Where a whole URL of the API was given as base URL, nobody knows which of the two is meant. */
function isWholeUrl(name: string): boolean {
  return /\/(?:images\/(?:generations|edits|variations)|deployments)(?:\/|$)/.test(name);
}

/** Every deployment's list of models is the list of all. */
function modelsOfDeployment(path: string): string {
  return path.replace(/^(\/openai|\/v1)\/deployments\/[^/]+(?:\/v1)?(?=\/models(?:\/|$))/, '$1');
}

function asSegment(name: string): string {
  return name.replaceAll('/', '%2F');
}

/**
 * The logical model that a request names: in its path as the deployment, else as the prefix `/m/{model}`, else in its
 * parameters, else in the header `x-target`. `undefined`: nowhere.
 */
export function modelOf(request: FastifyRequest, parameter: string | undefined): string | undefined {
  const target = request.headers['x-target'];
  const inHeader = typeof target === 'string' && target !== '' ? target : undefined;
  return modelInPath(request) ?? parameter ?? inHeader;
}

/** What the path alone says. */
export function modelInPath({ params }: FastifyRequest): string | undefined {
  const { deployment, model } = params as { deployment?: string; model?: string };
  return deployment ?? model;
}
