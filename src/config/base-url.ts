import type { Checked, Dialect } from '../domain/dialect.ts';
import { isLoopback } from './network.ts';

/**
 * Checks what is the same for every provider: an http or https URL without user info, query and fragment.
 *
 * @returns the URL in its normal form without trailing slashes
 */
export function normaliseBaseURL(text: string): Checked<string> {
  const url = URL.parse(text);
  // The URL parser would repair blanks, backslashes and a missing `//`; an address like that is a typing mistake.
  if (url === null || !/^https?:\/\/[^/]/i.test(text) || /[\s\\]/.test(text)) {
    return { problem: 'must be a full http or https URL such as https://my-resource.openai.azure.com' };
  }
  if (url.username !== '' || url.password !== '') return { problem: 'must not hold a user name or password' };
  if (url.protocol === 'http:' && !isLoopback(bareHost(url))) {
    return {
      problem: 'must begin with https: by http everybody on the way could read the key (only loopback may be http)',
    };
  }
  if (text.includes('?')) return { problem: 'must not have a query; the api-version belongs into `apiVersion`' };
  if (text.includes('#')) return { problem: 'must not have a fragment' };
  return { ok: `${url.origin}${url.pathname}`.replace(/\/+$/, '') };
}

/** Refuses the address of a target at a resource of Azure where nothing can respond. */
export function checkAzurePath({ id, azurePath }: Dialect, url: string): Checked<string> {
  const { hostname, pathname } = new URL(url);
  if (!azureHost.test(hostname) || azurePath.test(pathname)) return { ok: url };
  return { problem: `has a path at which Azure has nothing for the provider ${id}` };
}

/**
 * What somebody meant who has copied the address of a request, a project or another provider. All of it for resources of
 * Azure; of a front door's address only the end, because keys may stand in its path.
 */
export function likelyBaseURL(dialect: Dialect, text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username + url.password !== '') return undefined;
  const isAzure = azureHost.test(url.hostname);
  const end = dialect.likelyPath(url.pathname, isAzure);
  if (isAzure) return `https://${url.host}${end}`;
  return end === '' ? undefined : `…${end}`;
}

const azureHost = /\.((openai|cognitiveservices|services\.ai)\.azure\.(com|us|cn)|api\.cognitive\.microsoft\.com)$/;

function bareHost({ hostname }: URL): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}
