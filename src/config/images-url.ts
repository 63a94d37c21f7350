import type { AzureContainer, ObjectStorage, S3Bucket } from '../domain/object-storage.ts';
import { Secret } from '../domain/secret.ts';

type Read = (name: string) => string | undefined;
type Report = (path: string, message: string) => void;

const forms = 'azblob://account/container or s3://bucket?region=us-east-1';

/**
 * Reads IMAGES_URL and what belongs to it; `undefined` without it, or when a problem was reported. No message repeats a part
 * of a value that may be secret.
 */
export function readObjectStorage(read: Read, report: Report): ObjectStorage | undefined {
  const text = read('IMAGES_URL');
  const links = read('IMAGE_LINKS')?.toLowerCase() ?? 'proxy';
  const key = readAzureKey(read('AZURE_STORAGE_KEY'), read('AZURE_STORAGE_CONNECTION_STRING'));
  if (links !== 'proxy' && links !== 'direct') report('IMAGE_LINKS', 'must be proxy or direct');
  else if (links === 'direct' && text === undefined) report('IMAGE_LINKS', 'direct needs IMAGES_URL');
  if (text === undefined) return undefined;
  const place = readPlace(text, key);
  if ('problem' in place) {
    report(place.variable ?? 'IMAGES_URL', place.problem);
    return undefined;
  }
  return links === 'proxy' || links === 'direct' ? { ...place, links } : undefined;
}

type Mistake = { readonly problem: string; readonly variable?: string };

function readPlace(text: string, key: AzureKey | Mistake | undefined): AzureContainer | S3Bucket | Mistake {
  const url = URL.parse(text);
  if (url === null || !/^(?:azblob|s3):$/.test(url.protocol)) return { problem: `must be ${forms}` };
  if (url.username + url.password !== '') {
    return { problem: 'must not have a user or a password: credentials have variables of their own' };
  }
  if (url.hash !== '' || url.port !== '') return { problem: `must be ${forms}, without port and fragment` };
  return url.protocol === 's3:' ? readBucket(url) : readContainer(url, key);
}

function readBucket(url: URL): S3Bucket | Mistake {
  const { endpoint, region, problem } = readQuery(url, ['region', 'endpoint']);
  if (problem !== undefined) return { problem };
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/.test(url.host))
    return { problem: 'needs the name of a bucket: s3://bucket' };
  if (!/^\/?$/.test(url.pathname)) return { problem: 'names a bucket only, without a path: s3://bucket' };
  if (region !== undefined && !/^[a-z0-9-]+$/.test(region)) return { problem: 'has a region that is none' };
  return { kind: 's3', bucket: url.host, region, endpoint };
}

function readContainer(url: URL, key: AzureKey | Mistake | undefined): AzureContainer | Mistake {
  const { endpoint, problem } = readQuery(url, ['endpoint']);
  const [, account = ''] = /^([a-z0-9]{3,24})$/.exec(url.host) ?? [];
  const [, container = ''] = /^\/([a-z0-9](?:[a-z0-9-]{1,61}[a-z0-9]))\/?$/.exec(url.pathname) ?? [];
  if (problem !== undefined) return { problem };
  if (account === '') return { problem: 'needs the name of a storage account: azblob://account/container' };
  if (container === '') return { problem: 'needs the name of a container: azblob://account/container' };
  if (key !== undefined && 'problem' in key) return key;
  if (key?.account !== undefined && key.account !== account) {
    return { variable: 'AZURE_STORAGE_CONNECTION_STRING', problem: 'is of another account than IMAGES_URL' };
  }
  const service = endpoint ?? key?.endpoint ?? `https://${account}.blob.core.windows.net`;
  if (key === undefined && !service.startsWith('https:')) {
    return { problem: 'needs an https endpoint, or AZURE_STORAGE_KEY: tokens are not sent over http' };
  }
  return { kind: 'azure', account, container, endpoint: service, key: key?.key };
}

type Query = { readonly endpoint?: string; readonly region?: string; readonly problem?: string };

function readQuery({ searchParams }: URL, known: readonly string[]): Query {
  const names = [...searchParams.keys()];
  const unknown = names.find((name) => !known.includes(name));
  // It may be a secret that was pasted, such as the signature of a SAS.
  if (unknown !== undefined) return { problem: `has a query parameter other than ${known.join(' and ')}` };
  if (new Set(names).size < names.length) return { problem: 'has a query parameter twice' };
  const region = searchParams.get('region') || undefined;
  const endpointText = searchParams.get('endpoint') || undefined;
  if (endpointText === undefined) return { ...(region && { region }) };
  const endpoint = readEndpoint(endpointText);
  if (endpoint === undefined) {
    return { problem: 'has an endpoint that is no http or https URL without user, query and fragment' };
  }
  return { endpoint, ...(region && { region }) };
}

function readEndpoint(text: string): string | undefined {
  const url = URL.parse(text);
  const isPlain = url !== null && url.username + url.password + url.search + url.hash === '';
  return isPlain && /^https?:$/.test(url.protocol) ? url.href.replace(/\/+$/, '') : undefined;
}

type AzureKey = { readonly key: Secret; readonly account?: string; readonly endpoint?: string };

/** https://learn.microsoft.com/azure/storage/common/storage-configure-connection-string */
function readAzureKey(key: string | undefined, connection: string | undefined): AzureKey | Mistake | undefined {
  if (key !== undefined) {
    return isKey(key)
      ? { key: new Secret(key) }
      : { variable: 'AZURE_STORAGE_KEY', problem: 'is no key of an account' };
  }
  if (connection === undefined) return undefined;
  const variable = 'AZURE_STORAGE_CONNECTION_STRING';
  const pairs = connection.split(';').map((pair) => /^\s*(\w+)=(.*)$/.exec(pair)?.slice(1) ?? []);
  const parts = Object.fromEntries(pairs.filter(([name]) => name !== undefined)) as Record<string, string>;
  const { AccountName, AccountKey = '', BlobEndpoint, EndpointSuffix, DefaultEndpointsProtocol = 'https' } = parts;
  if (!isKey(AccountKey)) return { variable, problem: 'must have an AccountKey; without one, use a managed identity' };
  const suffixed =
    EndpointSuffix && AccountName && `${DefaultEndpointsProtocol}://${AccountName}.blob.${EndpointSuffix}`;
  const endpointText = BlobEndpoint || suffixed || undefined;
  const endpoint = endpointText === undefined ? undefined : readEndpoint(endpointText);
  if (endpointText !== undefined && endpoint === undefined)
    return { variable, problem: 'has a BlobEndpoint that is no URL' };
  return { key: new Secret(AccountKey), ...(AccountName && { account: AccountName }), ...(endpoint && { endpoint }) };
}

/** Base64. */
function isKey(text: string): boolean {
  return /^[\w+/-]{16,}={0,2}$/.test(text);
}
