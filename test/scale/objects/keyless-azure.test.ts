import '../../faults/trust.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Secret } from '../../../src/domain/secret.ts';
import type { TokensFor } from '../../../src/storage/objects/azure-token-credential.ts';
import { connectBucket } from '../../../src/storage/objects/connect-bucket.ts';
import { openObjectStore } from '../../storage/objects/object-store-fixture.ts';
import { png, put, readBack } from '../../storage/store-directory.ts';
import { type Azurite, startAzurite } from '../engines/azurite.ts';

let azurite: Azurite;
beforeAll(async () => {
  azurite = await startAzurite({ withTokens: true });
});
afterAll(() => azurite?.close());

const day = 24 * 60 * 60_000;

/** As Microsoft Entra ID would issue it; the emulator looks at its claims, and not at its signature. */
function tokenFor(audience: string): string {
  const now = Math.floor(Date.now() / 1_000);
  const issuer = 'https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/';
  const claims = { aud: audience, iss: issuer, nbf: now - 60, iat: now - 60, exp: now + 3_600, oid: 'o', tid: 't' };
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256', typ: 'JWT' })}.${part(claims)}.c2lnbmF0dXJl`;
}

function keyless(links: 'direct' | 'proxy', tokens: TokensFor) {
  const { account, container, endpoint } = azurite;
  return connectBucket({ kind: 'azure', account, container, endpoint, key: undefined, links }, tokens);
}

test('without a key, images are stored with tokens, and links signed by a user delegation key', async () => {
  const scopes = new Set<string>();
  const tokens: TokensFor = (scope) => async () => {
    scopes.add(scope);
    return { token: new Secret(tokenFor('https://storage.azure.com')), expiresAt: Date.now() + 3_600_000 };
  };
  const bucket = await keyless('direct', tokens);
  const store = await openObjectStore(bucket, { lifetimeMs: 30 * day });
  const image = await put(store, png(5_000));
  expect(await readBack(store, image.id)).toEqual(png(5_000));
  const link = (await store.linkTo(image)) as string;
  const { searchParams } = new URL(link);
  // Signed by whom, and for how long: at most as long as the key is valid.
  expect(searchParams.get('skoid')).not.toBeNull();
  const validMs = Date.parse(searchParams.get('se') ?? '') - Date.now();
  expect(validMs).toBeGreaterThan(6 * day);
  expect(validMs).toBeLessThanOrEqual(7 * day);
  const response = await fetch(link);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'image/png']);
  expect(Buffer.from(await response.arrayBuffer())).toEqual(png(5_000));
  expect([...scopes]).toEqual(['https://storage.azure.com/.default']);
});

test('a token that is refused, and one that cannot be had, end the start with one sentence', async () => {
  const refused: TokensFor = () => async () => ({
    token: new Secret(tokenFor('https://other.test')),
    expiresAt: Date.now() + 3_600_000,
  });
  await expect(keyless('proxy', refused)).rejects.toThrow(
    /^IMAGES_URL cannot be used: the object store responded 40[13] \(\w+\)$/,
  );
  const none: TokensFor = () => async () => {
    throw Object.assign(new Error('canary'), { code: 'AADSTS700016' });
  };
  await expect(keyless('proxy', none)).rejects.toThrow(
    'IMAGES_URL cannot be used: there are no credentials for the object store (AADSTS700016)',
  );
});
