import { inspect } from 'node:util';
import { expect, test, vi } from 'vitest';
import { Secret } from '../../../src/domain/secret.ts';
import { loadOptional } from '../../../src/storage/load-optional.ts';
import { azureTokenCredential } from '../../../src/storage/objects/azure-token-credential.ts';
import { connectBucket } from '../../../src/storage/objects/connect-bucket.ts';
import { objectStoreError } from '../../../src/storage/objects/object-store-error.ts';
import { refusedPort, serveHttp } from '../../helpers/loopback-server.ts';

const canary = 'c2VjcmV0LWNhbmFyeS1zZWNyZXQtY2FuYXJ5';

test.for([
  [{ statusCode: 403, code: 'AuthorizationFailure', message: canary }, 'responded 403 (AuthorizationFailure)'],
  [{ name: 'AccessDenied', $metadata: { httpStatusCode: 403 }, message: canary }, 'responded 403 (AccessDenied)'],
  [{ name: 'RestError', statusCode: 404, details: { errorCode: 'BlobNotFound' } }, 'responded 404 (BlobNotFound)'],
  [Object.assign(new Error(canary), { code: 'ECONNREFUSED' }), 'did not respond (ECONNREFUSED)'],
  [new DOMException(canary, 'TimeoutError'), 'did not respond (TimeoutError)'],
  [{ code: `https://store.test/?sig=${canary}` }, 'did not respond (Error)'],
  [undefined, 'did not respond (Error)'],
] as const)('of a failure only status and code are shown: %#', ([error, message]) => {
  const shown = objectStoreError(error);
  expect(shown.message).toBe(`the object store ${message}`);
  expect(inspect(shown, { depth: 9 })).not.toContain(canary);
});

test.for(['AADSTS700016, AADSTS50034', 'CredentialUnavailableError', 'CredentialsProviderError'])(
  'that there are no credentials is said, with %s',
  (code) => {
    const { message } = objectStoreError({ name: code, ...(code.startsWith('AADSTS') && { code }) });
    expect(message).toBe(`there are no credentials for the object store (${code})`);
  },
);

test('a package that is missing is named in a sentence', async () => {
  const missing = Object.assign(new Error('no'), { code: 'ERR_MODULE_NOT_FOUND' });
  const loading = loadOptional('IMAGES_URL', '@azure/storage-blob', Promise.reject(missing));
  await expect(loading).rejects.toThrow('IMAGES_URL needs the package @azure/storage-blob: npm ci --include=optional');
});

test('Azure gets tokens for the scope that it asks for, until they expire', async () => {
  const scopes: string[] = [];
  const credential = azureTokenCredential((scope) => async () => {
    scopes.push(scope);
    return { token: new Secret('token'), expiresAt: 1_000 };
  });
  expect(await credential.getToken(['https://storage.azure.com/.default'])).toEqual({
    token: 'token',
    expiresOnTimestamp: 1_000,
  });
  expect(scopes).toEqual(['https://storage.azure.com/.default']);
});

test.for([403, 404, 503])('a start in front of a store that responds %i ends with one sentence', async (status) => {
  const port = await serveHttp((request, response) => {
    request.resume();
    // A store that quotes what it has got.
    const body = `<?xml version="1.0"?><Error><Code>Injected</Code><Message>${canary}</Message></Error>`;
    response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
  });
  const failure = await connectBucket(azureAt(port), undefined).catch((error: unknown) => error);
  expect((failure as Error).message).toBe(`IMAGES_URL cannot be used: the object store responded ${status} (Injected)`);
  expect(inspect(failure, { depth: 9, showHidden: true })).not.toContain(canary);
});

test('a start without the region of a bucket ends with one sentence', async () => {
  for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
  vi.stubEnv('AWS_CONFIG_FILE', '/dev/null');
  const bucket = { kind: 's3', bucket: 'images', region: undefined, endpoint: undefined, links: 'proxy' } as const;
  await expect(connectBucket(bucket, undefined)).rejects.toThrow(
    /^IMAGES_URL cannot be used: the region is missing: add \?region= to it$/,
  );
});

test('a start in front of a store that is not there ends with one sentence', async () => {
  const connecting = connectBucket(azureAt(await refusedPort()), undefined);
  await expect(connecting).rejects.toThrow(
    /^IMAGES_URL cannot be used: the object store did not respond \(ECONNREFUSED\)$/,
  );
});

function azureAt(port: number) {
  const endpoint = `http://127.0.0.1:${port}/account`;
  return {
    kind: 'azure',
    account: 'account',
    container: 'images',
    endpoint,
    key: new Secret(canary),
    links: 'proxy',
  } as const;
}
