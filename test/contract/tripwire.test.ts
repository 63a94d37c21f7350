import { request } from 'undici';
import { describe, expect, test } from 'vitest';

describe('the network in tests', () => {
  test('an unmocked call of a public host fails before it leaves the machine', async () => {
    await expect(request('https://resource.openai.azure.com/openai/v1/models')).rejects.toMatchObject({
      name: 'NetConnectNotAllowedError',
      code: 'ENETUNREACH',
    });
  });

  test('an unmocked call of a public address fails, too', async () => {
    await expect(request('http://192.0.2.1/')).rejects.toMatchObject({ name: 'NetConnectNotAllowedError' });
  });
});
