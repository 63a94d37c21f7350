/**
 * Where callers look for the Images API: OpenAI's path, those of Azure's SDKs and v1 API, and what connectors make of a
 * base URL that ends in `/v1` (CONTRACTS §1.1, §1.7, §1.8). Any `api-version` is accepted.
 */
const roots = ['/v1', '/openai/v1', '/openai', '/openai/deployments/:deployment', '/v1/deployments/:deployment'];

/** The same for clients that cannot name a model. */
const withModel = (root: string) => `/m/:model${root}`;

export const imagesRoots: readonly string[] = [...roots, ...roots.map(withModel)];

/** The list of models is the same everywhere. */
export const modelsRoots: readonly string[] = imagesRoots.filter((root) => !root.endsWith(':deployment'));

const deploymentRoots = ['/openai/deployments/', '/v1/deployments/'];

/**
 * The path as the routes know it. Some SDKs put a model's name into the path without encoding it, so that its slashes
 * look like those of the path; they are encoded here. The legacy `:submit` may come encoded, too. Proxies may send the
 * whole URL (RFC 9112, 3.2.2); its host says nothing here.
 */
export function routedUrl(target: string): string {
  const url = target.replace(/^https?:\/\/[^/?#]*\/?/i, '/');
  const queryAt = url.includes('?') ? url.indexOf('?') : url.length;
  const path = withoutSpareSlashes(url.slice(0, queryAt)).replace(/%3asubmit$/i, ':submit');
  const { prefix, rest } = splitPrefix(path);
  return `${prefix}${withDeploymentAsSegment(rest)}${url.slice(queryAt)}`;
}

function withoutSpareSlashes(path: string): string {
  const plain = path.replace(/\/{2,}/g, '/');
  return plain.length > 1 && plain.endsWith('/') ? plain.slice(0, -1) : plain;
}

const surface = /^\/(?:(?:openai\/v1|openai|v1)\/(?:images|models)(?:\/|$)|(?:openai|v1)\/deployments\/)/;

/** `/m/{model}`, if the path begins with it, and what follows: the first of our surfaces. A name may look like one. */
function splitPrefix(path: string): { prefix: string; rest: string } {
  if (!path.startsWith('/m/')) return { prefix: '', rest: path };
  for (let end = path.indexOf('/', 4); end !== -1; end = path.indexOf('/', end + 1)) {
    if (surface.test(path.slice(end, end + longestRoot))) {
      return { prefix: `/m/${asSegment(path.slice(3, end))}`, rest: path.slice(end) };
    }
  }
  return { prefix: '', rest: path };
}

/** More than any of our surfaces begins with. */
const longestRoot = 32;

function withDeploymentAsSegment(path: string): string {
  const root = deploymentRoots.find((start) => path.startsWith(start));
  const end = path.lastIndexOf('/images/');
  if (root === undefined || end <= root.length) return path;
  return `${root}${asSegment(path.slice(root.length, end))}${path.slice(end)}`;
}

function asSegment(name: string): string {
  return name.replaceAll('/', '%2F');
}
