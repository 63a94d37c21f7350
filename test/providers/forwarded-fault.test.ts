import { describe, expect, test } from 'vitest';
import { forwardedFault } from '../../src/providers/azure/forwarded-fault.ts';
import type { Renewal } from '../../src/upstream/credential.ts';

const error = (code: string | null, message: string) => ({ error: { code, message, type: 'invalid_request_error' } });

function faultOf(status: number, body: unknown, renewal?: Renewal) {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return forwardedFault({ status, headers: { 'content-length': '1' }, text, end: 'complete', renewal });
}

describe('the operator has to mend', () => {
  test.each<[string, number, unknown, string, Renewal?]>([
    [
      'a key that is not accepted',
      401,
      error('401', 'Access denied due to invalid subscription key'),
      'upstream_auth_failed',
    ],
    ['a token that was replaced', 401, error('401', 'Unauthorized'), 'upstream_token_refused', 'now'],
    ['a network that is not let in', 403, error('AccessDenied', 'Public access is disabled'), 'upstream_auth_failed'],
    ['a blocked resource', 403, error(null, 'Your resource has been temporarily blocked'), 'upstream_blocked'],
    ['an account without money', 402, error(null, 'Payment required'), 'upstream_misconfigured'],
    ['a redirect', 307, '', 'upstream_misconfigured'],
    [
      'an unknown deployment',
      404,
      error('DeploymentNotFound', 'The API deployment does not exist'),
      'upstream_misconfigured',
    ],
    ['an address without the API', 404, error('404', 'Resource not found'), 'upstream_misconfigured'],
    [
      'an image tool without a deployment',
      400,
      error('invalid_request', 'imagegen deployment must be provided'),
      'upstream_misconfigured',
    ],
  ])('%s', (_, status, body, kind, renewal) => {
    const { failure } = faultOf(status, body, renewal);
    expect(failure).toMatchObject({ kind, outcome: 'not-processed' });
    expect(failure?.message).toMatch(/Nothing was billed\.$/);
    // What Azure says is for the log.
    expect(failure?.upstream?.status).toBe(status);
    expect(failure?.message).not.toContain('image service');
  });

  test('says what to do about the image tool', () => {
    const { failure } = faultOf(400, error('invalid_request', 'imagegen deployment must be provided'));
    expect(failure?.hint).toContain('`responses.imageModel`');
  });

  test('says that an unknown deployment may be the one that the client has named', () => {
    expect(faultOf(404, error('DeploymentNotFound', 'No')).failure?.message).toContain('`model`');
  });
});

describe('the client gets as it is', () => {
  test.each<[string, number, unknown, string | undefined]>([
    ['a parameter at fault', 400, error('invalid_value', 'Invalid value'), 'invalid_value'],
    [
      'a model that cannot do it',
      400,
      error('model_not_supported', 'Model not supported with Responses API.'),
      'model_not_supported',
    ],
    ['refused content', 400, error('content_filter', 'The response was filtered'), 'content_filter'],
    ['content that is refused with 403', 403, error('content_policy_violation', 'No'), 'content_policy_violation'],
    ['an unknown response', 404, error(null, "Response with id 'resp_1' not found."), 'invalid_request_error'],
    ['a method that is not allowed', 405, '', undefined],
    ['a conflict', 409, error('conflict', 'Running'), 'conflict'],
    ['a retired model', 410, error('ModelDeprecated', 'Retired'), 'ModelDeprecated'],
    ['a limit', 429, error('too_many_requests', 'Wait'), 'too_many_requests'],
    ['a used-up quota', 429, error('insufficient_quota', 'Pay'), 'insufficient_quota'],
    ['a failure of Azure', 500, error('server_error', 'Oh'), 'server_error'],
    ['a page of a proxy', 502, '<html>', undefined],
  ])('%s', (_, status, body, code) => {
    expect(faultOf(status, body)).toEqual({ code });
  });
});
