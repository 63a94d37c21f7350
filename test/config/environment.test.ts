import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readEnvironment } from '../../src/config/environment.ts';
import { problemsIn } from './example-models.ts';

function messagesOf(variables: Record<string, string | undefined>): string[] {
  return problemsIn(() => readEnvironment(variables)).map(({ path, message }) => `${path}: ${message}`);
}

describe('readEnvironment', () => {
  test('nothing set gives the defaults, frozen', () => {
    const environment = readEnvironment({});
    expect(environment).toEqual({
      host: '127.0.0.1',
      port: 8866,
      modelsFile: 'config/models.json',
      keysFile: 'config/keys.json',
      dataDir: 'data',
      publicBaseUrl: undefined,
      gatewayApiKeys: [],
      corsOrigins: [],
      trustedProxies: [],
      logLevel: 'info',
      logPretty: false,
      warnings: [],
    });
    expect(Object.isFrozen(environment)).toBe(true);
    expect(Object.isFrozen(environment.gatewayApiKeys)).toBe(true);
  });

  test('an empty DATA_DIR means that no images are hosted', () => {
    expect(readEnvironment({ DATA_DIR: '' }).dataDir).toBeUndefined();
    expect(readEnvironment({ DATA_DIR: '/images' }).dataDir).toBe('/images');
  });

  test('an empty KEYS_FILE means that there is no keys file', () => {
    expect(readEnvironment({ KEYS_FILE: '' }).keysFile).toBeUndefined();
    expect(readEnvironment({ KEYS_FILE: '/etc/keys.json' }).keysFile).toBe('/etc/keys.json');
  });

  test('PUBLIC_BASE_URL is kept without slashes at its end', () => {
    expect(readEnvironment({ PUBLIC_BASE_URL: 'https://images.example/api//' }).publicBaseUrl).toBe(
      'https://images.example/api',
    );
  });

  test('TRUST_PROXY is a list of addresses and networks', () => {
    const text = ' 10.0.0.0/8, 192.168.1.1 ,,::1,2001:db8::/32';
    const proxies = ['10.0.0.0/8', '192.168.1.1', '::1', '2001:db8::/32'];
    expect(readEnvironment({ TRUST_PROXY: text }).trustedProxies).toEqual(proxies);
    expect(Object.isFrozen(readEnvironment({ TRUST_PROXY: text }).trustedProxies)).toBe(true);
  });

  test.each(['true', '1', '*', 'loopback', 'proxy.example', '0.0.0.0/0', '::/0', '10.0.0.0/33', '10.0.0.0/', '10/8'])(
    'TRUST_PROXY %s is a problem: everybody could say who calls',
    (text) => {
      const problem = 'is neither an address nor a network such as 10.0.0.0/8';
      expect(messagesOf({ TRUST_PROXY: `127.0.0.1,${text}` })).toEqual([`TRUST_PROXY: "${text}" ${problem}`]);
    },
  );

  test.each(['images.example', 'ftp://images.example', 'https://user@images.example', 'https://a.example/?x=1'])(
    'PUBLIC_BASE_URL %s is a problem',
    (text) => {
      const problem = /PUBLIC_BASE_URL: must be an http or https URL without user, query and fragment/;
      expect(() => readEnvironment({ PUBLIC_BASE_URL: text })).toThrow(problem);
    },
  );

  test('METRICS_PORT is a port of its own, if there is one', () => {
    expect(readEnvironment({}).metricsPort).toBeUndefined();
    expect(readEnvironment({ METRICS_PORT: ' ' }).metricsPort).toBeUndefined();
    expect(readEnvironment({ METRICS_PORT: '9464' }).metricsPort).toBe(9464);
    expect(readEnvironment({ METRICS_PORT: '0', PORT: '0' }).metricsPort).toBe(0);
    expect(messagesOf({ METRICS_PORT: '8866' })).toEqual(['METRICS_PORT: must differ from PORT']);
    expect(messagesOf({ METRICS_PORT: '99999' })).toEqual(['METRICS_PORT: must be a whole number from 0 to 65535']);
  });

  test('CORS_ORIGINS is a list of origins, or *', () => {
    const text = ' HTTPS://App.Example:443, http://localhost:3000 ,,https://[::1]:8443 ';
    const origins = ['https://app.example', 'http://localhost:3000', 'https://[::1]:8443'];
    expect(readEnvironment({ CORS_ORIGINS: text }).corsOrigins).toEqual(origins);
    expect(readEnvironment({ CORS_ORIGINS: '*' }).corsOrigins).toEqual(['*']);
    expect(readEnvironment({ CORS_ORIGINS: ' , ' }).corsOrigins).toEqual([]);
    expect(Object.isFrozen(readEnvironment({ CORS_ORIGINS: '*' }).corsOrigins)).toBe(true);
  });

  test.each([
    'app.example',
    'https://app.example/',
    'https://app.example/path',
    'https://user@app.example',
    'https://app.example?x',
    'https://*.app.example',
    'ftp://app.example',
    'null',
    'file://',
    '**',
  ])('CORS_ORIGINS with %s is a problem that names it', (origin) => {
    expect(messagesOf({ CORS_ORIGINS: `https://good.example,${origin}` })).toEqual([
      `CORS_ORIGINS: "${origin}" is neither an origin such as https://app.example.com nor *`,
    ]);
  });

  test('empty variables count as unset', () => {
    const empty = {
      PUBLIC_BASE_URL: '',
      CORS_ORIGINS: '',
      HOST: '',
      PORT: ' ',
      MODELS_FILE: '',
      GATEWAY_API_KEYS: '',
      LOG_LEVEL: '',
      LOG_PRETTY: '',
    };
    expect(readEnvironment(empty)).toEqual(readEnvironment({}));
  });

  test('everything set is taken', () => {
    const environment = readEnvironment({
      HOST: '0.0.0.0',
      PORT: '0',
      MODELS_FILE: '/etc/models.json',
      GATEWAY_API_KEYS: ' first-key-of-them, ,second-key-of-them ,',
      LOG_LEVEL: 'silent',
      LOG_PRETTY: 'TRUE',
    });
    expect(environment).toMatchObject({ host: '0.0.0.0', port: 0, modelsFile: '/etc/models.json' });
    expect(environment).toMatchObject({ logLevel: 'silent', logPretty: true });
    expect(environment.gatewayApiKeys.map((key) => key.expose())).toEqual(['first-key-of-them', 'second-key-of-them']);
    expect(inspect(environment)).not.toContain('second-key');
  });

  test.each([
    '127.0.0.1',
    '127.8.9.10',
    '::1',
    '[::1]',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    'localhost',
    'LOCALHOST',
  ])('host %s without keys is allowed', (host) => {
    expect(messagesOf({ HOST: host })).toEqual([]);
  });

  test.each([
    '0.0.0.0',
    '::',
    '192.168.1.4',
    '128.0.0.1',
    '127.0.0.1.example.com',
    'gateway.internal',
    'localhost.example',
  ])('host %s without keys is refused with the way out', (host) => {
    expect(messagesOf({ HOST: host, GATEWAY_API_KEYS: ' , ' })).toEqual([
      'HOST: must be a loopback address while authentication is off: set GATEWAY_API_KEYS or KEYS_FILE, or HOST=127.0.0.1',
    ]);
  });

  test.each(['config/keys.example.json', '/not/there.json'])('host 0.0.0.0 with a keys file is allowed: %s', (file) => {
    expect(messagesOf({ HOST: '0.0.0.0', KEYS_FILE: file })).toEqual([]);
  });

  test.each(['', 'config/keys.json'])('host 0.0.0.0 without the default keys file is refused: "%s"', (file) => {
    expect(messagesOf({ HOST: '0.0.0.0', KEYS_FILE: file })).toEqual([
      expect.stringMatching(/^HOST: must be a loopback/),
    ]);
  });

  test.each(['-1', '65536', '80.5', '1e3', '0x50', 'http', '999999'])('port %s is refused', (port) => {
    expect(messagesOf({ PORT: port })).toEqual(['PORT: must be a whole number from 0 to 65535']);
  });

  describe('a key of GATEWAY_API_KEYS', () => {
    const short = 'key 1 of 2 has fewer than 16 characters and could be guessed; create one with `npm run key`';
    const GATEWAY_API_KEYS = 'canary,a-key-that-is-long';

    test('with fewer than 16 characters is refused beyond loopback, and warned of on it', () => {
      expect(messagesOf({ HOST: '0.0.0.0', GATEWAY_API_KEYS })).toEqual([`GATEWAY_API_KEYS: ${short}`]);
      expect(readEnvironment({ HOST: '::1', GATEWAY_API_KEYS }).warnings).toEqual([
        `the environment: GATEWAY_API_KEYS: ${short}`,
      ]);
    });

    test.each(['x', 'change-me', 'exactly-15-chars'.slice(0, 15)])('%s is refused on a public address', (key) => {
      expect(messagesOf({ HOST: '10.0.0.7', GATEWAY_API_KEYS: key })).toHaveLength(1);
    });

    test('with 16 characters is taken everywhere', () => {
      expect(readEnvironment({ HOST: '0.0.0.0', GATEWAY_API_KEYS: 'x'.repeat(16) }).warnings).toEqual([]);
    });

    test.each(['two words of a key', 'a-key-with-a\ttab-in-it', 'ein-schlüssel-mit-umlaut'])(
      'that no header can hold is refused everywhere: %j',
      (key) => {
        const problem = 'GATEWAY_API_KEYS: key 2 of 2 must be printable ASCII characters without spaces';
        expect(messagesOf({ GATEWAY_API_KEYS: `a-key-that-is-long,${key}` })).toEqual([problem]);
      },
    );
  });

  describe('a variable that nobody reads', () => {
    test.each([
      ['GATEWAY_API_KEY', 'GATEWAY_API_KEYS'],
      ['GATEWAY_KEY', 'GATEWAY_API_KEYS'],
      ['GATEWAY_KEYS', 'GATEWAY_API_KEYS'],
      ['GATEWAY_APIKEYS', 'GATEWAY_API_KEYS'],
      ['GATEWAY_TOKEN', 'GATEWAY_API_KEYS'],
      ['GATEWAY_API_KYES', 'GATEWAY_API_KEYS'],
      ['GATEWAY_PORT', 'PORT'],
      ['GATEWAY_KEYS_FILE', 'KEYS_FILE'],
    ])('%s is refused with %s', (name, meant) => {
      expect(messagesOf({ [name]: '1' })).toEqual([`${name}: unknown variable, did you mean \`${meant}\`?`]);
      expect(messagesOf({ [name]: ' ' })).toEqual([]);
    });

    test.each([
      ['GATEWAY_PORT', 'tcp://10.0.0.1:8866'],
      ['GATEWAY_SERVICE_HOST', '10.0.0.1'],
      ['GATEWAY_PORT_8866_TCP_ADDR', '10.0.0.1'],
      ['GATEWAY_ROOT', '/srv'],
      ['OPENAI_API_KEY', 'key'],
    ])('%s=%s is none of ours', (name, value) => {
      expect(messagesOf({ [name]: value })).toEqual([]);
    });
  });

  test('several mistakes are reported together, without any value', () => {
    const variables = { HOST: 'http://canary', PORT: 'canary', LOG_LEVEL: 'canary', LOG_PRETTY: 'canary' };
    expect(messagesOf(variables)).toEqual([
      'HOST: must be an address or a host name, without scheme and port',
      'PORT: must be a whole number from 0 to 65535',
      'LOG_LEVEL: must be one of fatal, error, warn, info, debug, trace, silent',
      'LOG_PRETTY: must be true, false, 1 or 0',
    ]);
    expect(() => readEnvironment(variables)).toThrow(/^Problems in the environment:\n {2}HOST: must be/);
    expect(() => readEnvironment(variables)).not.toThrow(/canary/);
  });
});

describe('loadDotEnv', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'environment-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  // A process of its own: the working directory and the environment of the test runner stay untouched.
  function portAfterLoading(variables: Record<string, string>): string {
    const module = new URL('../../src/config/environment.ts', import.meta.url).href;
    const program = `const { loadDotEnv } = await import('${module}');
      const variables = loadDotEnv();
      console.log(variables.PORT, process.env.PORT);`;
    const options = { cwd: folder, env: variables, encoding: 'utf8', stdio: 'pipe' } as const;
    return execFileSync(process.execPath, ['--input-type=module', '--eval', program], options);
  }

  test('an .env in the working directory is loaded without a word', () => {
    writeFileSync(join(folder, '.env'), 'PORT=1234\n');
    expect(portAfterLoading({})).toBe('1234 1234\n');
  });

  test('a variable that exists already wins', () => {
    writeFileSync(join(folder, '.env'), 'PORT=1234\n');
    expect(portAfterLoading({ PORT: '5678', DOTENV_CONFIG_OVERRIDE: 'true' })).toBe('5678 5678\n');
  });

  test('no .env is no mistake', () => {
    expect(portAfterLoading({})).toBe('undefined undefined\n');
  });

  test('is read again without a trace: the environment from the start wins, and what left .env is gone', () => {
    const module = new URL('../../src/config/environment.ts', import.meta.url).href;
    const program = `const { environmentReader, loadDotEnv } = await import('${module}');
      const { writeFileSync, mkdirSync, rmSync } = await import('node:fs');
      const readAgain = environmentReader();
      const told = ({ PORT, HOST, KEY }) => [PORT, HOST, KEY].join();
      console.log(told(loadDotEnv()), told(readAgain()));
      writeFileSync('.env', 'PORT=3\\nKEY=new');
      console.log(told(readAgain()), told(process.env));
      rmSync('.env');
      console.log(told(readAgain()), told(process.env));
      mkdirSync('.env');
      try { readAgain() } catch (error) { console.log(error.name) }`;
    writeFileSync(join(folder, '.env'), 'PORT=1\nHOST=a\nKEY=old');
    const options = { cwd: folder, env: { PORT: '2' }, encoding: 'utf8' } as const;
    const lines = execFileSync(process.execPath, ['--input-type=module', '--eval', program], options).split('\n');
    expect(lines).toEqual(['2,a,old 2,a,old', '2,,new 2,a,old', '2,, 2,a,old', 'ConfigError', '']);
  });

  test('an .env that cannot be read stops the start', () => {
    mkdirSync(join(folder, '.env'));
    expect(() => portAfterLoading({})).toThrow('cannot read the file: EISDIR');
  });
});
