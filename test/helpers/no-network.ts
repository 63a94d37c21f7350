import dns from 'node:dns';
import net from 'node:net';

// Tripwire: a test that would reach a real service fails instead of spending money. Only loopback can be dialled.
// (The contract tests have nock for that. It is kept out of all others, because with its interceptors every failed
// call looks as if it had been sent.)

/** Files share a process, and one tripwire is enough for all of them. */
const isSet = Symbol.for('no-network');
if (!(isSet in globalThis)) {
  Object.assign(globalThis, { [isSet]: true });
  const lookup = dns.lookup;
  dns.lookup = Object.assign((...args: Parameters<typeof lookup>) => {
    const [host] = args;
    const done = args.at(-1) as (error: Error) => void;
    if (host === 'localhost' || net.isIP(host) !== 0) return Reflect.apply(lookup, dns, args);
    done(Object.assign(new Error(`a test asked for the address of ${host}`), { code: 'ENOTFOUND' }));
  }, lookup) as typeof lookup;

  const connect = net.Socket.prototype.connect;
  net.Socket.prototype.connect = function connectLoopback(this: net.Socket, ...args: unknown[]) {
    const first = Array.isArray(args[0]) ? args[0][0] : args[0];
    const host = typeof first === 'object' ? (first as { host?: string }).host : args[1];
    if (typeof host === 'string' && net.isIP(host) !== 0 && !/^(127\.|::1$)/.test(host)) {
      throw new Error(`a test dialled ${host}`);
    }
    return Reflect.apply(connect, this, args);
  } as typeof connect;
}
