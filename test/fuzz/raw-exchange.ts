import { connect } from 'node:net';
import { readResponses } from './http-responses.ts';
import type { RawInput } from './raw-input.ts';

export type Exchange = {
  /** All that came back, as latin1. */
  readonly text: string;
  /** How the connection ended: by the gateway, after we had ended our side, or not in time. */
  readonly end: 'closed' | 'disconnected' | 'hangs';
};

/** How long the gateway may be silent before we take it that it waits for more. */
const quietMs = 60;
/** How long an owed response, and the end of a connection that we have ended, may take. */
const patienceMs = 30_000;

/** Sends an input over a connection of its own, and reads until nothing more is to be expected. */
export function exchange(port: number, { bytes, owed }: RawInput): Promise<Exchange> {
  return new Promise((resolve) => {
    let text = '';
    let hasDisconnected = false;
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    const disconnect = () => {
      hasDisconnected = true;
      socket.end();
    };
    const quiet = owed === undefined ? setTimeout(disconnect, quietMs) : undefined;
    const patience = setTimeout(() => settle('hangs'), patienceMs);
    const settle = (end: Exchange['end']) => {
      clearTimeout(quiet);
      clearTimeout(patience);
      socket.destroy();
      resolve({ text, end });
    };
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1');
      quiet?.refresh();
      if (owed !== undefined && !hasDisconnected && readResponses(text, false).responses.length >= owed) disconnect();
    });
    socket.on('error', () => {});
    socket.on('end', () => socket.end());
    socket.once('close', () => settle(hasDisconnected ? 'disconnected' : 'closed'));
    socket.write(bytes);
  });
}
