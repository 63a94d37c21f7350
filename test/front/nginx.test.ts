import { describe, expect, test } from 'vitest';
import { faster, hasNginx, nginxRecipe } from '../helpers/nginx.ts';
import { expectUnbufferedStream, silentCall } from './behind-nginx.ts';

/** Seconds of the recipe are hundredths of a second here. */
const recipe = faster(nginxRecipe, 100);
const silentMs = 1_300;

test('the recipe in docs/networks.md says how long nginx waits', () => {
  expect(nginxRecipe.match(/\d+s;/g)).toEqual(['620s;', '620s;', '620s;']);
});

// Where there is no nginx, the run shows that its recipe was not tried.
if (!hasNginx) test.todo('nginx is not installed here, so its recipe was NOT tried');
else
  describe('the recipe for nginx', () => {
    test('lets each event pass before the next one is sent', () => expectUnbufferedStream(recipe));

    test('lets a call pass that is silent for a time of which 130 s are the hundredfold', async () => {
      expect(await silentCall(recipe, silentMs)).toMatchObject({
        status: 200,
        text: expect.stringContaining('b64_json'),
      });
    });

    test('is needed for that: with the default 60 s the call is cut', async () => {
      const withDefault = faster(nginxRecipe.replace(/proxy_read_timeout .*;/, 'proxy_read_timeout 60s;'), 100);
      expect(await silentCall(withDefault, silentMs)).toMatchObject({ status: 504 });
    });

    test('lets the interim responses for clients on Node pass, and the response after them', async () => {
      const response = await silentCall(recipe, silentMs, { 'x-stainless-lang': 'js' }, 200);
      expect(response).toMatchObject({ status: 200, text: expect.stringContaining('b64_json') });
      expect(new Set(response.interim)).toEqual(new Set([102]));
    });
  });
