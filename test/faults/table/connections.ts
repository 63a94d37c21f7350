import { head } from '../http-text.ts';
import { variants } from '../modes.ts';
import { fin, reset, write } from '../script.ts';
import { expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atPost, hurried, json, noticed } from './playing.ts';

export const connectionFaults: readonly Fault[] = [
  { number: 1, name: 'refused', address: 'refused', reported: expected.unreachable },
  { number: 2, name: 'no such name', address: 'no such name', reported: expected.unreachable },
  { number: 3, name: 'silent TLS', welcome: 'silence', reported: expected.unreachable },
  { number: 4, name: 'bad certificate', welcome: 'untrusted certificate', reported: expected.unreachable },
  { number: 5, name: 'reset on accept', welcome: 'reset', reported: expected.unreachable },
  { number: 6, name: 'FIN on accept', welcome: 'fin', reported: expected.unreachable },
  {
    number: 6,
    name: 'FIN on accept without TLS',
    welcome: 'fin',
    isSecure: false,
    play: atPost(() => []),
    reported: expected.unknown,
    modes: ['A', 'B', 'D', 'E', 'F', ...variants],
  },
];

export const silentFaults: readonly Fault[] = [
  { number: 7, name: 'reset after read', play: atPost(() => [reset]), reported: expected.unknown },
  {
    number: 8,
    name: 'reset in the headers',
    play: atPost(() => [write('HTTP/1.1 200 OK\r\ncontent-ty'), noticed, reset]),
    reported: expected.unknown,
  },
  {
    number: 9,
    name: 'header block above 64 KiB',
    play: atPost(() => [write(head(200, { ...json, 'x-long': 'a'.repeat(66_000) })), fin]),
    reported: expected.unknown,
  },
  { number: 10, name: 'hang before headers', play: atPost(() => []), timeoutMs: hurried, reported: expected.late },
];
