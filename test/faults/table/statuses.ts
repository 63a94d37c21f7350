import { errorReply, reply } from '../http-text.ts';
import { expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atPost, second } from './playing.ts';

export const statusFaults: readonly Fault[] = [
  { number: 17, name: '408', play: atPost(() => reply(408, {}, '')), reported: expected.late },
  {
    number: 18,
    name: '502 as HTML',
    play: atPost(() => reply(502, { 'content-type': 'text/html' }, '<h1>upstream-text-canary</h1>')),
    reported: expected.unknown,
  },
  { number: 19, name: '504, empty', play: atPost(() => reply(504, {}, '')), reported: expected.late },
  { number: 20, name: '500 with an error object', play: failing(500), reported: expected.failed },
  { number: 21, name: '502 with an error object', play: failing(502), reported: expected.failed },
  { number: 22, name: '503 with an error object', play: failing(503), reported: expected.failed },
  {
    number: 23,
    name: '503 busy with retry-after',
    play: atPost(() => errorReply(503, { code: 'busy' }, { 'retry-after': '1' })),
    reported: { ...expected.busy, retryAfterMs: second },
  },
  {
    number: 23,
    name: '503 with a busy text',
    play: atPost(() => errorReply(503, { message: 'The engine is overloaded. upstream-text-canary' })),
    reported: expected.busy,
  },
];

function failing(status: number): NonNullable<Fault['play']> {
  return atPost(() => errorReply(status, { code: 'server_error' }));
}
