import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';

type Terminal = { readonly input: Readable; readonly output: Writable };

/** Asks a person. Only `y` and `yes` mean yes; Ctrl-C is `interrupted`, the end of the input is a no. */
export function confirm(question: string, terminal: Terminal): Promise<'yes' | 'no' | 'interrupted'> {
  const lines = createInterface(terminal);
  return new Promise<'yes' | 'no' | 'interrupted'>((resolve) => {
    lines.once('SIGINT', () => resolve('interrupted')).once('close', () => resolve('no'));
    lines.question(question, (answer) => resolve(/^y(es)?$/i.test(answer.trim()) ? 'yes' : 'no'));
  }).finally(() => lines.close());
}
