import { expect, test } from 'vitest';
import { hasNginx, nginxRecipe } from '../helpers/nginx.ts';
import { expectUnbufferedStream, silentCall } from './behind-nginx.ts';

const silentMs = 130_000;

if (!hasNginx) test.todo('nginx is not installed here, so its recipe was NOT tried');
else {
  test('the recipe for nginx, as it is, lets a stream pass', () => expectUnbufferedStream(nginxRecipe));

  test.concurrent.each([{}, { 'x-stainless-lang': 'js' }])(
    'the recipe for nginx, as it is, lets a call pass that is silent for 130 s, with the headers %o',
    async (headers) => {
      expect(await silentCall(nginxRecipe, silentMs, headers)).toMatchObject({ status: 200 });
    },
  );
}
