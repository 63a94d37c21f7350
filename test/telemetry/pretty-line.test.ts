import { describe, expect, test } from 'vitest';
import { createLogger } from '../../src/telemetry/logger.ts';
import { prettyLine } from '../../src/telemetry/pretty-line.ts';

const request = {
  ...{ level: 30, time: 1, pid: 1, hostname: 'host', msg: 'request' },
  ...{ requestId: 'the-id', method: 'POST', route: '/v1/images/generations', status: 200, end: 'completed' },
  ...{ outcome: 'delivered', durationMs: 4212, model: 'poster', target: 'east', provider: 'azure-v1', attempts: 1 },
  ...{ sent: true, adaptations: [], receiveMs: 0, queueMs: 3, upstreamMs: 4100, transferMs: 35, count: 1, images: 1 },
  ...{ cost: 0.0412, currency: 'EUR', bytesIn: 300, bytesOut: 1_400_000, promptLength: 5, promptHash: 'hash' },
  ...{ upstreamRequestId: 'azure-id', key: 'web-shop', client: '10.0.0.7' },
};

describe('a line for people', () => {
  test('of a request tells what happened in one line', () => {
    expect(prettyLine(request)).toBe(
      '200 POST /v1/images/generations delivered in 4.2 s (upstream 4.1 s, transfer 35 ms), poster at east, 1 of 1 image, 1.4 MB, 0.0412 EUR, id the-id, web-shop from 10.0.0.7',
    );
  });

  test.each([
    [
      'several calls and what was adapted',
      { attempts: 3, count: 3, images: 3, adaptations: ['n=fan-out'] },
      '3 calls, 3 of 3 images, 1.4 MB, 0.0412 EUR, n=fan-out, id',
    ],
    ['a cost that is not known', { cost: null, currency: undefined }, ', cost unknown, id'],
    ['a cost that may be more', { costMayBeMore: true }, ', 0.0412 EUR, may be more, id'],
    ['no cost where nothing was billed', { cost: 0 }, '1.4 MB, id'],
    ['kilobytes', { bytesOut: 2_000 }, ', 2 kB, '],
    ['the wait', { queueMs: 1_500 }, '(queue 1.5 s, upstream 4.1 s, '],
  ])('of a request has %s', (_, facts, words) => {
    expect(prettyLine({ ...request, ...facts })).toContain(words);
  });

  test('of a request that failed has the error, and the id by which Azure finds it', () => {
    const error = { kind: 'upstream_unavailable', outcome: 'not-processed', cause: { code: 'ECONNREFUSED' } };
    const line = prettyLine({ ...request, status: 503, outcome: 'not-processed', error });
    expect(line).toContain('503 POST /v1/images/generations not-processed');
    expect(line).toContain(`{"upstreamRequestId":"azure-id","error":${JSON.stringify(error)}}`);
  });

  test('of a request for something else does not mention images', () => {
    const { requestId, method, status, end, durationMs, msg } = request;
    const line = prettyLine({ requestId, method, status, end, durationMs: 2, msg, route: '/readyz' });
    expect(durationMs).toBeGreaterThan(2);
    expect(line).toBe('200 POST /readyz completed in 2 ms, id the-id');
  });

  test('of a bug has its stack, line by line', () => {
    const error = { kind: 'TypeError', stack: 'TypeError: bug\n    at somewhere' };
    expect(
      prettyLine({ ...request, error })
        .split('\n')
        .slice(1),
    ).toEqual(['    TypeError: bug', '        at somewhere']);
  });

  test('of a process that ends by itself has its stack, too', () => {
    expect(prettyLine({ msg: 'unexpected error', stack: 'Error: x\n    at y' })).toBe(
      'unexpected error\n    Error: x\n        at y',
    );
  });

  test('of a call tells its step', () => {
    const line = {
      ...{ msg: 'attempt', requestId: 'the-id', model: 'poster', target: 'east', provider: 'azure-v1', sent: true },
      ...{ outcome: 'failed', status: 500, queueMs: 0, upstreamMs: 120, cost: 0, currency: 'EUR', error: 'upstream_x' },
    };
    expect(prettyLine(line)).toBe(
      '  call of poster at east: failed, status 500, 120 ms, id the-id {"error":"upstream_x"}',
    );
  });

  test('of anything else is its message with the rest as JSON', () => {
    expect(prettyLine({ level: 30, time: 1, msg: 'listening', url: 'http://127.0.0.1:1' })).toBe(
      'listening {"url":"http://127.0.0.1:1"}',
    );
  });

  test('cannot do anything to a terminal, nor look like two', () => {
    const model = 'a\r\n[12:00:00] INFO: fake\u001b[2J\u009b31m\u202e';
    const line = prettyLine({ ...request, model, error: { cause: model } });
    expect(line).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });

  test('is what LOG_PRETTY writes: one for each, with time and level', async () => {
    const lines: string[] = [];
    const destination = { write: (line: string) => void lines.push(line) };
    const logger = await createLogger({ level: 'info', isPretty: true, destination });
    const { level: _level, time: _time, msg: _msg, ...facts } = request;
    logger.info(facts, 'request');
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(
      /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: 200 POST \/v1\/images\/generations delivered .* id the-id, web-shop from 10\.0\.0\.7\n$/,
    );
  });
});
