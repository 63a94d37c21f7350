import { expect, test } from 'vitest';
import { dependingOn, describeStartFailure } from '../../src/cli/start-failure.ts';
import { ConfigError } from '../../src/config/problems.ts';

const failure = (facts: object) => Object.assign(new Error('canary'), facts);

/** What is said of a step that depends on a variable and fails so. */
async function told(variable: string, facts: object): Promise<string> {
  return dependingOn(variable, () => Promise.reject(failure(facts))).catch(describeStartFailure);
}

const listen = { syscall: 'listen', address: '127.0.0.1', port: 80 };

test.each([
  ['PORT', { ...listen, code: 'EADDRINUSE' }, '127.0.0.1:80 is already in use: set PORT to a free port.\n'],
  [
    'METRICS_PORT',
    { ...listen, code: 'EADDRINUSE' },
    '127.0.0.1:80 is already in use: set METRICS_PORT to a free port.\n',
  ],
  ['PORT', { ...listen, code: 'EACCES' }, 'No permission to listen on 127.0.0.1:80: set PORT to a port above 1023.\n'],
  [
    'DATA_DIR',
    { code: 'EACCES', syscall: 'mkdir', path: '/data/images' },
    'DATA_DIR cannot be used (/data/images): no permission to write.\n',
  ],
  [
    'DATA_DIR',
    { code: 'EROFS', syscall: 'access', path: '/data' },
    'DATA_DIR cannot be used (/data): the file system is read-only.\n',
  ],
  ['DATA_DIR', { code: 'ENOSPC', syscall: 'write' }, 'DATA_DIR cannot be used: the disk is full.\n'],
  ['DATA_DIR', { code: 'EWEIRD' }, 'Error: canary\n'],
])('%s: %j is told in one sentence', async (variable, facts, sentence) => {
  expect(await told(variable, facts)).toBe(sentence);
});

test('several problems of the configuration are told with one way out', () => {
  const missing = { path: 'a', message: 'is missing', missingVariable: 'A' };
  const errors = [new ConfigError('one', [missing]), new ConfigError('two', [missing])];
  const text = describeStartFailure(new AggregateError(errors));
  expect(text.match(/^Problems in \w+:$/gm)).toEqual(['Problems in one:', 'Problems in two:']);
  expect(text.match(/npm run demo/g)).toHaveLength(1);
});

test('what is no problem of the configuration is not lost among others', () => {
  const text = describeStartFailure(new AggregateError([new ConfigError('one', []), new Error('a bug')]));
  expect(text).toBe('Problems in one:\nError: a bug\n');
});
