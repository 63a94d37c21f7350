import { expect, test } from 'vitest';
import { targetIdentity } from '../../src/config/target-identity.ts';
import { messagesOf, parse, v1Target } from './example-models.ts';

const withTargets = (...changes: readonly object[]) => ({
  models: { poster: { targets: changes.map((change) => ({ ...v1Target, ...change })) } },
});

test('a target may say when it ends, and what replaces it', () => {
  const { models } = parse(
    withTargets(
      { name: 'old', retires: '2027-03-01', replacedBy: { target: 'new', from: '2027-01-01' } },
      { name: 'new', retires: 'never' },
    ),
  );
  expect(models[0]?.targets).toMatchObject([
    { retires: '2027-03-01', replacedBy: { target: 'new', from: '2027-01-01' } },
    { retires: 'never' },
  ]);
});

test.each([
  ['2027-02-30', 'models.poster.retires: must be a date such as 2027-04-21, or "never"'],
  ['soon', 'models.poster.retires: must be a date such as 2027-04-21, or "never"'],
  [20270301, 'models.poster.retires: must be a date such as 2027-04-21, or "never"'],
])('retires: %s is refused', (retires, message) => {
  expect(messagesOf({ models: { poster: { ...v1Target, retires } } })).toEqual([message]);
});

const from = '2027-01-01';

test.each<[string, readonly object[], string]>([
  [
    'by one that does not exist',
    [{ name: 'old', replacedBy: { target: 'nwe', from } }, { name: 'new' }],
    'models.poster.targets[0].replacedBy.target: no other target of this model has this name',
  ],
  [
    'by itself',
    [{ name: 'old', replacedBy: { target: 'old', from } }],
    'models.poster.targets[0].replacedBy.target: no other target of this model has this name',
  ],
  ['at no time', [{ replacedBy: { target: '2' } }, {}], 'models.poster.targets[0].replacedBy.from: is required'],
  [
    'on no day',
    [{ replacedBy: { target: '2', from: 'May' } }, {}],
    'models.poster.targets[0].replacedBy.from: must be a date such as 2027-04-21',
  ],
  [
    'in a circle',
    [
      { name: 'a', replacedBy: { target: 'b', from } },
      { name: 'b', replacedBy: { target: 'c', from } },
      { name: 'c', replacedBy: { target: 'b', from } },
    ],
    'models.poster.targets[1].replacedBy.target: the targets replace each other in a circle',
  ],
])('a target cannot be replaced %s', (_, targets, message) => {
  expect(messagesOf(withTargets(...targets))[0]).toBe(message);
});

test('the position of a target is its name, also here', () => {
  expect(messagesOf(withTargets({ replacedBy: { target: '2', from } }, {}))).toEqual([]);
});

test('another date does not make another target of it, whose breaker would be forgotten', () => {
  const identities = [{}, { retires: '2027-03-01' }, { replacedBy: { target: '2', from } }].map((change) => {
    const [model] = parse(withTargets(change, {})).models;
    return targetIdentity('poster', model?.targets[0] as never).calls;
  });
  expect(new Set(identities).size).toBe(1);
});
