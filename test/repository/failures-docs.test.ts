import { expect, test } from 'vitest';
import { scenarios } from '../../simulator/scenarios.ts';
import { callerViews } from '../../src/http/error-response.ts';
import { readDocument } from './documents.ts';

const failures = readDocument('docs/failures.md');

test('the table of codes has every status, type and code of the gateway, and no other', () => {
  const rows = failures.matchAll(/^\| (\d{3}) \| `(\w+)` \| `(\w+)` \|/gm);
  const documented = [...rows].map(([, status, type, code]) => `${status} ${type} ${code}`);
  const views = Object.values(callerViews).map(({ status, type, code }) => `${status} ${type} ${code}`);
  expect(documented.sort()).toEqual([...new Set(views)].sort());
});

test('the table of codes promises x-should-retry only where the SDKs would retry', () => {
  const rows = failures.matchAll(/^\| (\d{3}) \| `\w+` \| `\w+` \|.*\| (.+) \|$/gm);
  const promised = [...rows].filter(([, , shouldRetry]) => shouldRetry !== '–').map(([, status]) => Number(status));
  expect(promised).not.toEqual([]);
  expect(promised.filter((status) => ![409, 429].includes(status) && status < 500)).toEqual([]);
});

test('the scenarios exist', () => {
  const names = [...failures.matchAll(/^\| `simulate:([\w-]+)` \|/gm)].map(([, name = '']) => name);
  const known = names.filter((name) => scenarios.some((row) => name === row.name || name.startsWith(`${row.name}-`)));
  expect(known).toEqual(names);
  expect(names).not.toEqual([]);
});
