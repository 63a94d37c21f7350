import { nearestWord } from '../codec/nearest-word.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { splitTarget } from './surfaces.ts';

const generations = '/v1/images/generations';
const edits = '/v1/images/edits';

/** What a segment of a path was meant to lead to. */
const urls: Readonly<Record<string, string>> = {
  generations,
  edits,
  // No model makes them; an edit comes nearest.
  variations: edits,
  images: generations,
  models: '/v1/models',
  healthz: '/healthz',
  readyz: '/readyz',
  metrics: '/metrics',
};

/** The other APIs of OpenAI and Azure, to which clients send with the same base URL. */
const otherApis = new Set([
  ...['chat', 'completions', 'responses', 'embeddings', 'messages', 'audio', 'realtime', 'moderations'],
  ...['videos', 'assistants', 'threads', 'conversations'],
]);

const maxSegments = 16;
const maxShown = 100;

/** The 404 of a path that is not served. It names the nearest one that is. */
export function unknownUrl(method: string, target: string): GatewayError {
  const [path = ''] = splitTarget(target).path.split('#');
  return new GatewayError('unknown_url', `Unknown URL: ${method} ${shown(path)}. ${advice(method, path)}`);
}

function advice(method: string, path: string): string {
  const segments = path.toLowerCase().split('/').slice(-maxSegments);
  if (segments.some((segment) => otherApis.has(segment))) {
    return `This gateway serves images only: use ${generations} or ${edits}.`;
  }
  const words = segments.map((segment) => nearestWord(segment, Object.keys(urls)));
  const word = words.findLast((found) => found !== undefined) ?? (method === 'POST' ? 'generations' : 'models');
  return `Did you mean ${withModel(path, urls[word] ?? generations)}?`;
}

/** Callers that name the model in their path are told where it stands. */
function withModel(path: string, url: string): string {
  if (!url.startsWith('/v1/')) return url;
  const openai = `${path.startsWith('/m/') ? '/m/{model}' : ''}${url}`;
  const isDeployment = /\/deployments(?:\/|$)/.test(path) && url.startsWith('/v1/images/');
  return isDeployment ? `${openai.replace('/v1', '/openai/deployments/{model}')} or ${openai}` : openai;
}

/** Printable ASCII and of bounded length, because the path is whatever a caller sent. Node gives its bytes as characters. */
function shown(path: string): string {
  const escaped = path
    .slice(0, maxShown)
    .replace(/[^!-~]/g, (byte) => `%${byte.charCodeAt(0).toString(16).padStart(2, '0').toUpperCase()}`);
  return path.length > maxShown ? `${escaped}…` : escaped;
}
