import { expect, test } from 'vitest';
import { hasNginx, nginxRecipe } from '../helpers/nginx.ts';
import { expectUnbufferedStream, silentCall } from './behind-nginx.ts';

const silentMs = 130_000;

if (!hasNginx) test.todo('nginx is not installed here, so its recipe was NOT tried');
else {
  test('the recipe for nginx, as it is, lets a stream pass', () => expectUnbufferedStream(nginxRecipe));

  // At once, and in one test: what concurrent tests open is closed with whichever of them ends first.
  test('the recipe for nginx, as it is, lets calls pass that are silent for 130 s', async () => {
    const calls = [{}, { 'x-stainless-lang': 'js' }].map((headers) => silentCall(nginxRecipe, silentMs, headers));
    expect(await Promise.all(calls)).toMatchObject([{ status: 200 }, { status: 200 }]);
  });
}
