import type { LookupAddress } from 'node:dns';
import { buildConnector } from 'undici';
import { describe, expect, onTestFinished, test } from 'vitest';
import { guardedConnector, isForbiddenAddress, type ResolveAll } from '../../src/upstream/guarded-connector.ts';
import { createImageDownloads } from '../../src/upstream/guarded-download.ts';
import { refusedPort, serveHttp, serveRaw } from '../helpers/loopback-server.ts';

// Links lead to public addresses only. Every form of every address that is not one is tried by http and
// by https, because the two take different ways through undici.

const forbidden4 = [
  ...['0.0.0.0', '0.1.2.3', '10.0.0.1', '10.255.255.255', '100.64.0.1', '100.127.255.255', '127.0.0.1'],
  ...['127.255.255.254', '169.254.169.254', '169.254.0.1', '172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1'],
  ...['192.88.99.1', '192.168.1.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.1'],
  ...['239.255.255.255', '240.0.0.1', '255.255.255.255', '168.63.129.16'],
];

const forbidden6 = [
  ...['::', '::1', '::7f00:1', '::127.0.0.1', '::8.8.8.8'],
  // Mapped and translated IPv4.
  ...['::ffff:127.0.0.1', '::ffff:10.0.0.1', '::ffff:a9fe:a9fe', '::ffff:8.8.8.8', '::ffff:0:127.0.0.1'],
  // NAT64, discarded, Teredo, ORCHID, documentation, 6to4.
  ...['64:ff9b::7f00:1', '64:ff9b::8.8.8.8', '64:ff9b:1::1', '100::1', '2001::1', '2001:0:7f00:1::', '2001:10::1'],
  ...['2001:20::1', '2001:2::1', '2001:db8::1', '2002:7f00:1::', '2002:0808:0808::1', '3fff::1'],
  // Unique local, link local, site local, multicast, and what nobody has been given.
  ...['fc00::1', 'fd12::1', 'fd00:ec2::254', 'fe80::1', 'febf::1', 'fec0::1', 'ff02::1', 'ff0e::1'],
  ...['4000::1', '5f00::1', '8000::1', 'e000::1'],
];

const noAddresses = ['not an address', '', '127.1', '0x7f.0.0.1', '::1::', 'fe80::1%lo', '2603:1030::1%eth0', '[::1]'];

const publicAddresses = ['8.8.8.8', '20.60.1.1', '172.32.0.1', '100.128.0.1', '2603:1030::1', '2a01:111::1'];

test.each([...forbidden4, ...forbidden6, ...noAddresses])('%j is no public address', (address) => {
  expect(isForbiddenAddress(address)).toBe(true);
});

test.each(publicAddresses)('%s is a public address', (address) => expect(isForbiddenAddress(address)).toBe(false));

/** Hosts as links write them: URLs write addresses in one form, and the connector gets what the parser makes of them. */
const spellings = [
  ...[
    'localhost',
    '2130706433',
    '0x7f000001',
    '0x7f.1',
    '0177.0.0.1',
    '127.1',
    '127.0.1',
    '0',
    '127.0.0.1.',
    '①②⑦.0.0.1',
  ],
  ...['%31%32%37.0.0.1', '[::]', '[0:0:0:0:0:0:0:1]', '[::ffff:7f00:1]', '[0000::0001]', '017700000001', 'LOCALHOST'],
];

type Link = { readonly protocol: string; readonly host: string; readonly port: number };

/** Dials as undici does; gives the name of the error, or `connected`. */
function dial({ protocol, host, port }: Link, connector = guardedConnector()): Promise<string> {
  const { hostname } = new URL(`${protocol}//${host}:${port}`);
  const options = { protocol, hostname, host: `${hostname}:${port}`, port: String(port), httpSocket: undefined };
  return new Promise((settle) => {
    connector(options as never, (error, socket) => {
      socket?.destroy();
      settle(error?.name ?? 'connected');
    });
  });
}

/** What a name stands for. */
function resolvingTo(...addresses: readonly string[]): ResolveAll {
  const answers = addresses.map((address): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 }));
  return (_name, _options, done) => done(null, answers);
}

describe.each(['http:', 'https:'])('the guarded connector, for %s,', (protocol) => {
  const literals = [...forbidden4, ...forbidden6.map((address) => `[${address}]`), ...spellings];

  test(`never connects to any of ${literals.length} literals`, async () => {
    let connections = 0;
    const port = await serveRaw(() => (connections += 1));
    for (const host of literals) {
      expect([host, await dial({ protocol, host, port })]).toEqual([host, 'ForbiddenAddressError']);
    }
    expect(connections).toBe(0);
  });

  test.each([
    ['a forbidden address', ['127.0.0.1']],
    ['a forbidden address behind a public one', ['20.60.1.1', '10.0.0.1']],
    ['a forbidden address before a public one', ['169.254.169.254', '20.60.1.1']],
    ['a mapped one', ['::ffff:127.0.0.1']],
    ['one by NAT64', ['64:ff9b::7f00:1']],
    ['one of this link', ['fe80::1%lo']],
    ['no address', []],
  ])('refuses a name that stands for %s, and does not connect', async (_case, addresses) => {
    let connections = 0;
    const port = await serveRaw(() => (connections += 1));
    const connector = guardedConnector(isForbiddenAddress, resolvingTo(...addresses));
    expect(await dial({ protocol, host: 'pictures.blob.core.windows.net', port }, connector)).toBe(
      'ForbiddenAddressError',
    );
    expect(connections).toBe(0);
  });

  test('fails with what the look-up failed with', async () => {
    const resolve: ResolveAll = (_name, _options, done) => done(new RangeError('no such name'), []);
    const connector = guardedConnector(isForbiddenAddress, resolve);
    expect(await dial({ protocol, host: 'nobody.example', port: 443 }, connector)).toBe('RangeError');
  });
});

describe('the guarded connector', () => {
  const allowed = () => false;

  test('dials the very answers that it has checked: the name is not looked up again', async () => {
    let connections = 0;
    const port = await serveRaw(() => (connections += 1));
    let lookUps = 0;
    const resolve: ResolveAll = (name, options, done) => {
      lookUps += 1;
      resolvingTo('127.0.0.1')(name, options, done);
    };
    const host = 'rebinding.example';
    expect(await dial({ protocol: 'http:', host, port }, guardedConnector(allowed, resolve))).toBe('connected');
    expect([lookUps, connections]).toEqual([1, 1]);
  });

  test('asks for all addresses even where one would be enough', async () => {
    const connector = guardedConnector(
      (address) => address === '10.0.0.1',
      (_name, options, done) => {
        expect(options.all).toBe(true);
        resolvingTo('127.0.0.1', '10.0.0.1')(_name, options, done);
      },
    );
    expect(await dial({ protocol: 'http:', host: 'two.example', port: 1 }, connector)).toBe('ForbiddenAddressError');
  });

  test.each(['http:', 'https:'])('looks at the connected peer once more, for %s', async (protocol) => {
    const port = await (protocol === 'http:' ? serveHttp(() => {}) : serveHttp(() => {}, { secure: true }));
    let looks = 0;
    const lenientOnce = () => ++looks > 1;
    // TLS fails before the peer is looked at, because nobody trusts this certificate: either way, nothing is connected.
    const expected = protocol === 'http:' ? 'ForbiddenAddressError' : 'Error';
    expect(await dial({ protocol, host: '127.0.0.1', port }, guardedConnector(lenientOnce))).toBe(expected);
  });

  test('says what broke a connection that it allowed', async () => {
    const port = await refusedPort();
    const outcome = dial({ protocol: 'http:', host: '127.0.0.1', port }, guardedConnector(allowed));
    expect(await outcome).not.toMatch(/connected|Forbidden/);
  });
});

describe('the download of a link from a caller', () => {
  /** With the connector that production has; where a name leads is all that is made up. */
  function download(link: string, ...addresses: string[]) {
    const images = createImageDownloads(guardedConnector(isForbiddenAddress, resolvingTo(...addresses)));
    onTestFinished(() => images.close());
    return images.fromAnywhere(link, AbortSignal.timeout(5_000));
  }

  test.each(['127.0.0.1', '10.0.0.1', '::1', '::ffff:127.0.0.1', '64:ff9b::7f00:1'])(
    'to a name that stands for %s is refused once and for all',
    async (address) => {
      await expect(download('https://images.example/a.png', address)).rejects.toMatchObject({
        kind: 'upstream_result_unavailable',
      });
    },
  );
});

test('undici’s own connector, by contrast, connects to loopback: the servers of these tests can be reached', async () => {
  let connections = 0;
  const port = await serveRaw(() => (connections += 1));
  expect(await dial({ protocol: 'http:', host: '127.0.0.1', port }, buildConnector({}))).toBe('connected');
  await expect.poll(() => connections).toBe(1);
});
