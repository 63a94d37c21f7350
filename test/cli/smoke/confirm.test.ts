import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { confirm } from '../../../src/cli/smoke/confirm.ts';

/** What a person at a terminal types; `undefined`: the input ends. */
async function asked(typed: string | undefined, isTerminal = false) {
  const input = new PassThrough();
  const output = new PassThrough();
  const answer = confirm('Go on? [y/N] ', { input, output: Object.assign(output, { isTTY: isTerminal }) });
  if (typed === undefined) input.end();
  else input.write(typed);
  return [await answer, String(output.read())];
}

test.each([
  ['y\n', 'yes'],
  ['Yes\n', 'yes'],
  ['n\n', 'no'],
  ['\n', 'no'],
  ['yellow\n', 'no'],
  [undefined, 'no'],
])('%j is a %s', async (typed, answer) => {
  expect(await asked(typed)).toEqual([answer, expect.stringContaining('Go on?')]);
});

test('Ctrl-C at the question interrupts', async () => {
  const [answer] = await asked('\x03', true);
  expect(answer).toBe('interrupted');
});
