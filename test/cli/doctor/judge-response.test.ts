import { describe, expect, test } from 'vitest';
import {
  type FreeCall,
  judgePart,
  judgeResponse,
  noTokenHint,
  type ResponseFacts,
} from '../../../src/cli/doctor/judge-response.ts';
import { connectionHint, nameHint, tlsHint } from '../../../src/cli/doctor/probe-host.ts';

const json: ResponseFacts = { status: 200, body: 'json', clockAheadMs: 0, isBlocked: false };
const key: FreeCall = { shows: 'key', url: new URL('https://r.openai.azure.com/openai/models'), isProject: false };
const token: FreeCall = { ...key, shows: 'token' };
const project: FreeCall = {
  shows: 'token',
  url: new URL('https://r.services.ai.azure.com/api/projects/p/deployments'),
  isProject: true,
};
const misplaced: FreeCall = { ...project, url: new URL('https://r.openai.azure.com/api/projects/p/deployments') };
const minutes = 60_000;

type Row = [
  what: string,
  facts: Partial<ResponseFacts>,
  asked: FreeCall,
  response: string,
  credential: string,
  hint: RegExp,
];

describe('what an answer says', () => {
  test.each<Row>([
    ['a list', {}, key, 'ok', 'ok', /^$/],
    ['a redirect', { status: 302 }, key, 'failed', 'not checked', /redirects.*captive portal/],
    ['a proxy that wants credentials', { status: 407 }, key, 'failed', 'not checked', /egressProxy/],
    ['a web page', { body: 'web page' }, key, 'failed', 'not checked', /web page.*captive portal/],
    ['a refusal that is a web page', { status: 403, body: 'web page' }, key, 'failed', 'not checked', /web page/],
    ['words', { body: 'anything else' }, key, 'failed', 'not checked', /not Azure/],
    ['401 for a key', { status: 401 }, key, 'ok', 'failed', /`apiKey`/],
    ['401 for a key of a project', { status: 401 }, { ...project, shows: 'key' }, 'ok', 'failed', /tokens, not keys/],
    ['401 for a token', { status: 401 }, token, 'ok', 'failed', /`auth\.entra\.scope`/],
    [
      '401 for a token, clock fast',
      { status: 401, clockAheadMs: 9 * minutes },
      token,
      'ok',
      'failed',
      /9 minutes fast/,
    ],
    [
      '401 for a token, clock slow',
      { status: 401, clockAheadMs: -7 * minutes },
      token,
      'ok',
      'failed',
      /7 minutes slow/,
    ],
    ['401 for a key, clock fast', { status: 401, clockAheadMs: 9 * minutes }, key, 'ok', 'failed', /`apiKey`/],
    ['403 for a key', { status: 403 }, key, 'ok', 'failed', /firewall.*authentication settings/],
    ['403 for a token', { status: 403 }, token, 'ok', 'failed', /Cognitive Services OpenAI User/],
    ['403 in a project', { status: 403 }, project, 'ok', 'failed', /Azure AI User/],
    ['a blocked resource', { status: 403, isBlocked: true }, key, 'ok', 'failed', /blocked the whole resource/],
    ['404 of a list', { status: 404 }, key, 'ok', 'unknown', /`apiVersion`/],
    ['404 of a project', { status: 404 }, project, 'failed', 'not checked', /project does not exist/],
    [
      '404 of a project at the wrong host',
      { status: 404 },
      misplaced,
      'failed',
      'not checked',
      /services\.ai\.azure\.com/,
    ],
    ['429', { status: 429 }, key, 'ok', 'unknown', /429/],
    ['500', { status: 500 }, key, 'failed', 'not checked', /Azure failed.*500/],
    ['503 without JSON', { status: 503, body: 'anything else' }, key, 'failed', 'not checked', /Azure failed.*503/],
    ['400', { status: 400 }, key, 'ok', 'unknown', /400/],
    [
      '401 in words of its own',
      {
        status: 401,
        words: { status: 401, code: '401', message: 'Access denied to a0123456789b0123456789c012345678.' },
      },
      key,
      'ok',
      'failed',
      /\(Azure says: 401 "Access denied to \[redacted\]\."\)$/,
    ],
  ])('%s', (_, facts, asked, answer, credential, hint) => {
    const judged = judgeResponse({ ...json, ...facts }, asked);
    expect([judged.response.state, judged.credential.state]).toEqual([answer, credential]);
    const hints = [judged.response, judged.credential].flatMap((finding) => ('hint' in finding ? [finding.hint] : []));
    expect(hints.join()).toMatch(hint);
  });

  test('nothing but a list in JSON makes a credential good', () => {
    const statuses = Array.from({ length: 400 }, (_, index) => index + 200);
    const bodies = ['json', 'web page', 'anything else'] as const;
    const good = statuses.flatMap((status) =>
      bodies
        .filter((body) => judgeResponse({ ...json, status, body }, key).credential.state === 'ok')
        .map((body) => [status, body]),
    );
    expect(good).toEqual([[200, 'json']]);
  });
});

test.each([
  [{}, 'ok'],
  [{ body: 'web page' as const }, 'unknown'],
  [{ status: 404 }, 'failed'],
  [{ status: 403 }, 'unknown'],
  [{ status: 500 }, 'unknown'],
])('a part of a project with %o is %s', (facts, state) => {
  expect(judgePart({ ...json, ...facts }, 'agent').state).toBe(state);
});

test.each([
  ['AADSTS700024', /clock/],
  ['AADSTS7000215', /AADSTS7000215.*AZURE_CLIENT_ID/],
  ['CredentialUnavailableError', /managed or workload identity.*az login/],
  ['', /no identity/],
])('a sign-in that failed with "%s" has a hint', (code, hint) => {
  expect(noTokenHint(code)).toMatch(hint);
});

test.each([
  [nameHint, ['ENOTFOUND', 'EAI_AGAIN']],
  [connectionHint, ['ECONNREFUSED', 'ETIMEDOUT', 'ECONNRESET']],
  [
    tlsHint,
    [
      'SELF_SIGNED_CERT_IN_CHAIN',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'CERT_HAS_EXPIRED',
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'ECONNRESET',
    ],
  ],
])('every kind of failure has a hint of its own', (hint, codes) => {
  expect(new Set(codes.map(hint)).size).toBe(codes.length);
});
