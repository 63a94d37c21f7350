import net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { guardedConnector, type ResolveAll } from '../../src/upstream/guarded-connector.ts';
import { refusedPort, serveRaw } from '../helpers/loopback-server.ts';

// What it refuses is in test/security.

/** What becomes of a connection to a name that stands for these addresses, where nothing is forbidden. */
const connectTo = (port: number, resolve: ResolveAll) =>
  new Promise((settle) => {
    const options = { protocol: 'http:', hostname: 'images.example', host: 'images.example', port: String(port) };
    guardedConnector(() => false, resolve)(options as never, (...[error, socket]) => {
      socket?.destroy();
      settle(error === null ? 'connected' : (error as NodeJS.ErrnoException).code);
    });
  });
const loopback: ResolveAll = (_name, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]);

test.each([true, false])('dials what was looked up, whether Node asks for one address or for all: %s', async (all) => {
  const usual = net.getDefaultAutoSelectFamily();
  net.setDefaultAutoSelectFamily(all);
  onTestFinished(() => net.setDefaultAutoSelectFamily(usual));
  expect(await connectTo(await serveRaw(() => {}), loopback)).toBe('connected');
});

test('tells why a name was not found', async () => {
  const resolve: ResolveAll = (_name, _options, done) => done(Object.assign(new Error(), { code: 'ENOTFOUND' }), []);
  expect(await connectTo(443, resolve)).toBe('ENOTFOUND');
});

test('tells why nobody could be reached', async () => {
  expect(await connectTo(await refusedPort(), loopback)).toBe('ECONNREFUSED');
});
