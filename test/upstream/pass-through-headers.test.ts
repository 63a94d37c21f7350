import { describe, expect, test } from 'vitest';
import { forwardedHeaders, returnedHeaders } from '../../src/upstream/pass-through-headers.ts';

describe('of a client’s headers', () => {
  test('Azure gets those that say what is sent and what is wanted, and no other', () => {
    const headers = {
      host: 'gateway.example.com',
      authorization: 'Bearer canary',
      'api-key': 'canary',
      'x-api-key': 'canary',
      cookie: 'canary',
      accept: 'text/event-stream',
      'content-type': 'application/json; charset=utf-8',
      'content-length': '12',
      'openai-beta': 'responses=v1',
      'openai-organization': 'canary',
      'user-agent': 'canary',
      'x-stainless-retry-count': '1',
      'x-forwarded-for': '10.0.0.1',
      'idempotency-key': 'canary',
      traceparent: 'canary',
      'x-ms-oai-image-generation-deployment': 'canary',
      'x-request-id': 'canary',
      'transfer-encoding': 'chunked',
    };
    expect(forwardedHeaders(headers, true)).toEqual({
      accept: 'text/event-stream',
      'content-type': 'application/json; charset=utf-8',
      'openai-beta': 'responses=v1',
      'content-length': '12',
    });
  });

  test('there is no length where there is no body', () => {
    expect(forwardedHeaders({ 'content-length': '0' }, false)).toEqual({});
  });

  test.each(['a\tb', 'ä', 'a\r\nb: c', '', 'a'.repeat(1025)])('%j is no value, and is refused', (text) => {
    expect(() => forwardedHeaders({ 'openai-beta': text }, true)).toThrow("The header 'openai-beta'");
  });

  test('a compressed body is refused, because Azure would take it for what it is not', () => {
    expect(() => forwardedHeaders({ 'content-encoding': 'gzip' }, true)).toThrow('must not be compressed');
    expect(forwardedHeaders({ 'content-encoding': 'identity' }, true)).toEqual({});
  });
});

describe('of Azure’s headers', () => {
  test('a client gets the type, waits and rate limits, and no other', () => {
    const headers = {
      'content-type': 'text/event-stream',
      'content-length': '5',
      'content-encoding': 'gzip',
      'retry-after': '2',
      'retry-after-ms': '2000',
      'openai-processing-ms': '17',
      'openai-organization': 'canary',
      'x-ratelimit-limit-tokens': '100',
      'x-ratelimit-remaining-requests': '9',
      'x-ms-region': 'canary',
      'apim-request-id': 'canary',
      'set-cookie': ['canary'],
      location: 'https://canary',
      'operation-location': 'https://canary',
      'azureml-model-session': 'canary',
      'x-should-retry': 'true',
      'access-control-allow-origin': '*',
      server: 'canary',
    };
    expect(returnedHeaders(headers)).toEqual({
      'content-type': 'text/event-stream',
      'retry-after': '2',
      'retry-after-ms': '2000',
      'openai-processing-ms': '17',
      'x-ratelimit-limit-tokens': '100',
      'x-ratelimit-remaining-requests': '9',
    });
  });

  test('a strange value is left out, and costs nothing', () => {
    const headers = { 'content-type': 'a\nb', 'x-ratelimit-limit-ä': '1', 'x-ratelimit-limit-requests': 'ä' };
    expect(returnedHeaders(headers)).toEqual({});
  });
});
