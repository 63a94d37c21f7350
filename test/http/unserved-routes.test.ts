import { expect, test } from 'vitest';
import { unknownUrl } from '../../src/http/unserved-routes.ts';

const generations = '/v1/images/generations';
const edits = '/v1/images/edits';
const responses = '/v1/responses';

test.each([
  ['POST', '/x', generations],
  ['POST', '/v1', generations],
  ['POST', '/v2/images/generations', generations],
  ['POST', '/v1/image/generation', generations],
  ['POST', '/V1/Images/Generate', generations],
  ['POST', '/v1%0A/images/generations', generations],
  ['POST', '/v1/images', generations],
  ['POST', '/v1/images/upscale', generations],
  ['POST', '/v1/image/edit', edits],
  ['POST', '/v1/images/generations/images/edits', edits],
  ['POST', '/v2/images/variations', edits],
  ['POST', '/openai/deployments/a/image/edits', `/openai/deployments/{model}/images/edits or ${edits}`],
  ['POST', '/openai/deployments/a', `/openai/deployments/{model}/images/generations or ${generations}`],
  ['POST', '/m/a/v1/image/edits', `/m/{model}${edits}`],
  ['GET', '/m/a/v1/model', '/m/{model}/v1/models'],
  ['GET', '/v1/image/generations', generations],
  ['GET', '/v1/model', '/v1/models'],
  ['POST', '/v1/response', responses],
  ['GET', '/v1/responses/r_1/items', responses],
  ['POST', '/m/a/v1/respones', `/m/{model}${responses}`],
  ['GET', '/v2/models/gpt-image-2', '/v1/models'],
  ['GET', '/x', '/v1/models'],
  ['GET', '/health', '/healthz'],
  ['GET', '/v1/healthz', '/healthz'],
  ['GET', '/ready', '/readyz'],
  ['GET', '/metric', '/metrics'],
])('%s %s: did you mean %s?', (method, path, near) => {
  const { kind, message } = unknownUrl(method, path);
  expect([kind, message]).toEqual(['unknown_url', `Unknown URL: ${method} ${path}. Did you mean ${near}?`]);
});

test.each(['/v1/chat/completions', '/openai/deployments/a/chat/completions', '/v1/audio/speech'])(
  '%s belongs to another API',
  (path) => {
    expect(unknownUrl('POST', path).message).toBe(
      `Unknown URL: POST ${path}. This gateway serves images only: use ${generations}, ${edits} or ${responses}.`,
    );
  },
);

test.each([
  ['a query', '/x?api-key=canary', '/x'],
  ['a fragment', '/x#canary', '/x'],
  ['a host with a password', 'http://user:canary@gateway/x', '/x'],
  ['control characters', '/x\u0000\u001b[31m\u007f\u0085y', '/x%00%1B[31m%7F%85y'],
  ['bytes beyond ASCII', '/\u00c3\u00a9', '/%C3%A9'],
  ['blanks', '/a b', '/a%20b'],
  ['a path without end', `/${'x'.repeat(16_000)}`, `/${'x'.repeat(99)}…`],
])('the path is shown without harm: %s', (_, target, shown) => {
  const { message } = unknownUrl('POST', target);
  expect(message).toBe(`Unknown URL: POST ${shown}. Did you mean ${generations}?`);
});

test.each(['/', '/a', '/chat', '/edit/', '/x'.repeat(50)])('thousands of %s take no time', (part) => {
  const path = part.repeat(16_000 / part.length);
  for (let count = 0; count < 200; count += 1) expect(unknownUrl('POST', path).message.length).toBeLessThan(250);
});
