import { describe, expect, test } from 'vitest';
import { normaliseBaseURL } from '../../src/config/base-url.ts';

describe('normaliseBaseURL', () => {
  test.each([
    ['https://east.example.com', 'https://east.example.com'],
    ['https://east.example.com///', 'https://east.example.com'],
    ['HTTPS://East.Example.com:443/a//', 'https://east.example.com/a'],
    ['http://localhost:80', 'http://localhost'],
    ['http://127.1:8867/', 'http://127.0.0.1:8867'],
    ['http://[::1]:8867/', 'http://[::1]:8867'],
  ])('%s becomes %s', (text, expected) => {
    expect(normaliseBaseURL(text)).toEqual({ ok: expected });
  });

  const readable = 'must begin with https: by http everybody on the way could read the key (only loopback may be http)';
  const notFull = 'must be a full http or https URL such as https://my-resource.openai.azure.com';
  test.each([
    ['', notFull],
    ['east.example.com', notFull],
    ['ftp://east.example.com', notFull],
    ['https:east.example.com', notFull],
    ['https:///east.example.com', notFull],
    [' https://east.example.com', notFull],
    ['https://east.example.com\\openai', notFull],
    ['https://user@east.example.com', 'must not hold a user name or password'],
    ['https://:word@east.example.com', 'must not hold a user name or password'],
    ['https://east.example.com?', 'must not have a query; the api-version belongs into `apiVersion`'],
    ['https://east.example.com/a?api-version=1', 'must not have a query; the api-version belongs into `apiVersion`'],
    ['https://east.example.com/#', 'must not have a fragment'],
    ['http://east.openai.azure.com', readable],
    ['HTTP://10.0.0.7:8080/openai', readable],
    ['http://localhost.example.com', readable],
    ['http://[::2]', readable],
  ])('%j is refused', (text, problem) => {
    expect(normaliseBaseURL(text)).toEqual({ problem });
  });
});
