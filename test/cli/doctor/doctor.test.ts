import type { RequestListener } from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type Simulator, startSimulator } from '../../../simulator/start-simulator.ts';
import { hasFailure, printReport, type Step, steps, type TargetReport } from '../../../src/cli/doctor/findings.ts';
import { examine } from '../../../src/cli/doctor.ts';
import { Secret } from '../../../src/domain/secret.ts';
import type { EntraTokens } from '../../../src/upstream/entra.ts';
import { parseModels } from '../../helpers/parse-models.ts';
import '../../faults/trust.ts';
import { startFaultServer } from '../../faults/fault-server.ts';
import { startConnectProxy } from '../../helpers/connect-proxy.ts';
import { refusedPort, serveHttp, serveRaw } from '../../helpers/loopback-server.ts';

const key = 'azure-key-canary';
const v1 = (baseURL: string, apiKey = key) => ({ provider: 'azure-v1', model: 'gpt-image-2', baseURL, apiKey });
const auth = { entra: { scope: 'https://ai.azure.com/.default' } };

/** Looks at the targets of one model each; nothing secret is ever in what is printed. */
async function look(
  targets: readonly object[],
  { file = {}, entra, stepMs = 2_000 }: { file?: object; entra?: EntraTokens; stepMs?: number } = {},
): Promise<TargetReport[]> {
  const models = Object.fromEntries(targets.map((target, index) => [`model-${index}`, target]));
  const reports = await examine(parseModels(JSON.stringify({ ...file, models }), {}), { entra, stepMs });
  expect(printReport(reports)).not.toMatch(/canary/);
  return reports;
}

const statesOf = ({ findings }: TargetReport) => steps.map((step) => findings[step].state);

function hintOf(report: TargetReport | undefined, step: Step): string {
  const finding = report?.findings[step];
  return finding !== undefined && 'hint' in finding ? finding.hint : '';
}

async function simulate(apiKey = key): Promise<Simulator> {
  const simulator = await startSimulator({ apiKey });
  onTestFinished(() => simulator.close());
  return simulator;
}

/** The simulator's managed identity. */
const identityOf =
  ({ origin, identityHeader }: Simulator): EntraTokens =>
  (scope) =>
  async () => {
    const resource = encodeURIComponent(scope.replace('/.default', ''));
    const answer = await fetch(`${origin}/msi/token?api-version=2019-08-01&resource=${resource}`, {
      headers: { 'x-identity-header': identityHeader },
    });
    const { access_token: text, expires_on: seconds } = (await answer.json()) as Record<string, string>;
    return { token: new Secret(String(text)), expiresAt: Number(seconds) * 1000 };
  };

const answering = (listener: RequestListener) => serveHttp(listener).then((port) => `http://127.0.0.1:${port}`);
const nothing = ['not checked', 'not checked', 'not checked'];

describe('against a simulated Azure', () => {
  const deployment = {
    provider: 'azure-deployment',
    model: 'gpt-image-2',
    deployment: 'd',
    apiVersion: '2025-04-01-preview',
  };

  test('keys that are good are ok, and whether deployments exist is unknown', async () => {
    const { origin, ledger } = await simulate();
    const agent = { provider: 'foundry-agent', model: 'gpt-image-1', chatDeployment: 'gpt-4.1', imageDeployment: 'i' };
    const common = { baseURL: origin, apiKey: key };
    const reports = await look([
      v1(origin),
      { ...deployment, ...common },
      { ...agent, ...common },
      { provider: 'azure-async', model: 'dall-e-2', ...common },
    ]);
    for (const report of reports) {
      expect(statesOf(report)).toEqual(['not checked', 'ok', 'not checked', 'ok', 'ok', 'unknown']);
      expect(hintOf(report, 'deployment')).toContain(`npm run smoke -- ${report.model}`);
    }
    expect(hasFailure(reports)).toBe(false);
    // Nothing that could be billed was sent.
    expect(new Set(ledger.requests.map(({ method }) => method))).toEqual(new Set(['GET']));
    expect(ledger.counts()).toMatchObject({ billed: 0, received: 0 });
  });

  test('a wrong key fails, whatever the provider', async () => {
    const { origin } = await simulate('another');
    const common = { baseURL: origin, apiKey: key };
    const reports = await look([v1(origin), { ...deployment, ...common }]);
    for (const report of reports) {
      expect(statesOf(report)).toEqual(['not checked', 'ok', 'not checked', 'ok', 'failed', 'not checked']);
      expect(hintOf(report, 'credential')).toContain('apiKey');
    }
    expect(hasFailure(reports)).toBe(true);
  });

  test('the resource to which requests are forwarded is asked like a target, and needs no deployment', async () => {
    const { origin, ledger } = await simulate();
    const responses = (apiKey: string) => ({ file: { responses: { target: { baseURL: origin, apiKey } } } });
    const [, good] = await look([v1(origin)], responses(key));
    expect([good?.model, good && statesOf(good)]).toEqual([
      '(responses)',
      ['not checked', 'ok', 'not checked', 'ok', 'ok', 'not checked'],
    ]);
    // Its credential is that of the target before it, so it shares the response.
    expect(ledger.requests).toHaveLength(1);
    const [, bad] = await look([v1(origin)], responses('another-canary'));
    expect(hintOf(bad, 'credential')).toContain('apiKey');
  });

  test('a wrong api-version leaves a good key good, and is pointed at', async () => {
    const { origin } = await simulate();
    const [wrong, v1Wrong] = await look([
      { ...deployment, apiVersion: 'nonsense', baseURL: origin, apiKey: key },
      { ...v1(origin), apiVersion: '2024-10-21' },
    ]);
    expect(wrong?.findings.credential.state).toBe('ok');
    expect(hintOf(wrong, 'deployment')).toContain('`apiVersion`');
    expect(v1Wrong?.findings.credential.state).toBe('unknown');
    expect(hintOf(v1Wrong, 'credential')).toContain('`apiVersion`');
  });

  test('targets with equal hosts and credentials are asked once, others for themselves', async () => {
    const { origin, ledger } = await simulate();
    const reports = await look([v1(origin), v1(origin), v1(origin), v1(origin, 'another-canary')]);
    expect(reports.map(({ findings }) => findings.credential.state)).toEqual(['ok', 'ok', 'ok', 'failed']);
    expect(ledger.requests).toHaveLength(2);
  });

  test('a project tells about its agents and deployments', async () => {
    const simulator = await simulate();
    const entra = identityOf(simulator);
    const common = {
      provider: 'foundry-agent',
      model: 'gpt-image-1',
      auth,
      baseURL: `${simulator.origin}/api/projects/p`,
    };
    const reports = await look(
      [
        { ...common, agent: 'artist', imageDeployment: 'gpt-image-1' },
        { ...common, agent: 'artist', agentVersion: '3', imageDeployment: 'gpt-image-1' },
        { ...common, chatDeployment: 'gpt-4.1', imageDeployment: 'gpt-image-1' },
        { ...common, agent: 'nobody', imageDeployment: 'gpt-image-1' },
        { ...common, agent: 'artist', imageDeployment: 'elsewhere' },
        { ...common, chatDeployment: 'parrot', imageDeployment: 'gpt-image-1' },
      ],
      { entra },
    );
    expect(reports.map(({ findings }) => findings.deployment.state)).toEqual([
      'ok',
      'ok',
      'ok',
      'failed',
      'failed',
      'failed',
    ]);
    expect(reports.slice(3).map((report) => hintOf(report, 'deployment'))).toEqual([
      expect.stringContaining('`agent`'),
      expect.stringContaining('`imageDeployment`'),
      expect.stringContaining('`chatDeployment`'),
    ]);
    expect(simulator.tokens.issued).toBe(1);
    expect(simulator.ledger.counts()).toMatchObject({ billed: 0, received: 0 });
  });

  test('a token that is not accepted fails', async () => {
    const { origin } = await simulate();
    const entra: EntraTokens = () => async () => ({
      token: new Secret('token-canary'),
      expiresAt: Date.now() + 3_600_000,
    });
    const [report] = await look([{ ...v1(origin), apiKey: undefined, auth }], { entra });
    expect(hintOf(report, 'credential')).toContain('auth.entra.scope');
  });

  test('no identity: it says what can be one, and Azure is not checked', async () => {
    const { origin, ledger } = await simulate();
    const entra: EntraTokens = () => async () => {
      throw Object.assign(new Error('secret-canary'), { code: 'CredentialUnavailableError' });
    };
    const [report] = await look([{ ...v1(origin), apiKey: undefined, auth }], { entra });
    expect(statesOf(report as TargetReport).slice(3)).toEqual(['not checked', 'failed', 'not checked']);
    expect(hintOf(report, 'credential')).toMatch(/CredentialUnavailableError.*az login/);
    expect(ledger.requests).toEqual([]);
  });
});

describe('the way to a host', () => {
  test('a name that does not exist', async () => {
    const [report] = await look([v1('https://no-such-host.invalid')]);
    expect(statesOf(report as TargetReport)).toEqual(['failed', 'not checked', 'not checked', ...nothing]);
    expect(hintOf(report, 'name')).toContain('does not exist');
  });

  test('a port that refuses', async () => {
    const [report] = await look([v1(`https://localhost:${await refusedPort()}`)]);
    expect(statesOf(report as TargetReport)).toEqual(['ok', 'failed', 'not checked', ...nothing]);
    expect(hintOf(report, 'connection')).toContain('connection refused');
  });

  test('TLS that is good', async () => {
    const port = await serveHttp((_request, response) => response.end('{"data":[]}'), { secure: true });
    const [report] = await look([v1(`https://localhost:${port}`)]);
    expect(statesOf(report as TargetReport)).toEqual(['ok', 'ok', 'ok', 'ok', 'ok', 'unknown']);
  });

  test('a certificate that nobody trusts', async () => {
    const script = { welcome: 'untrusted certificate' as const, respond: () => ({ steps: [], isBilled: false }) };
    const server = await startFaultServer({ script, onFinished: onTestFinished });
    const [report] = await look([v1(server.origin.replace('127.0.0.1', 'localhost'))]);
    expect(statesOf(report as TargetReport)).toEqual(['ok', 'ok', 'failed', ...nothing]);
    expect(hintOf(report, 'tls')).toContain('NODE_EXTRA_CA_CERTS');
    expect(server.requests).toEqual([]);
  });

  test('a certificate for another name', async () => {
    const port = await serveHttp((_request, response) => response.end('{}'), { secure: true });
    const { origin: egressProxy } = await startConnectProxy();
    const [report] = await look([v1(`https://elsewhere.invalid:${port}`)], { file: { egressProxy } });
    expect(report?.findings.tls.state).toBe('failed');
    expect(hintOf(report, 'tls')).toContain('another host');
  });

  test('a port that does not speak TLS', async () => {
    const origin = await answering((_request, response) => response.end());
    const [report] = await look([v1(origin.replace('http:', 'https:'))]);
    expect(report?.findings.tls.state).toBe('failed');
  });

  test('TLS that is silent ends in time', async () => {
    const port = await serveRaw(() => {});
    const [report] = await look([v1(`https://localhost:${port}`)], { stepMs: 1_500 });
    expect(statesOf(report as TargetReport)).toEqual(['ok', 'ok', 'failed', ...nothing]);
    expect(hintOf(report, 'tls')).toContain('ETIMEDOUT');
  });

  test('an egress proxy is asked for the host, and its refusals have hints', async () => {
    const port = await serveHttp((_request, response) => response.end('{"data":[]}'), { secure: true });
    const target = v1(`https://localhost:${port}`);
    const proxy = await startConnectProxy();
    const [good] = await look([target], { file: { egressProxy: proxy.origin } });
    expect(statesOf(good as TargetReport)).toEqual(['not checked', 'ok', 'ok', 'ok', 'ok', 'unknown']);
    for (const [refusal, hint] of [
      [407, 'user and password'],
      [403, 'does not allow this host'],
      [502, 'could not reach the host'],
    ] as const) {
      const { origin } = await startConnectProxy({ refusal });
      const egressProxy = origin.replace('://', '://me:password-canary@');
      const [report] = await look([target], { file: { egressProxy } });
      expect(statesOf(report as TargetReport)).toEqual(['not checked', 'failed', 'not checked', ...nothing]);
      expect(hintOf(report, 'connection')).toContain(hint);
    }
    const [silent] = await look([target], {
      file: { egressProxy: (await startConnectProxy({ refusal: 'silence' })).origin },
      stepMs: 100,
    });
    expect(hintOf(silent, 'connection')).toContain('in time');
  });
});

describe('what answers', () => {
  test.each<[string, RequestListener, Step, string]>([
    [
      'a captive portal',
      (_request, response) => response.end('<!doctype html><p>Sign in'),
      'response',
      'captive portal',
    ],
    [
      'a redirect, which is not followed',
      (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:9/secret-canary' }).end(),
      'response',
      'redirects',
    ],
    ['trouble', (_request, response) => response.writeHead(503).end('{"error":{}}'), 'response', '503'],
    ['a reset', (_request, response) => response.destroy(), 'response', 'closed before a response'],
    ['silence', () => {}, 'response', 'does not respond'],
    ['too many calls', (_request, response) => response.writeHead(429).end('{}'), 'credential', '429'],
    [
      'a blocked resource',
      (_request, response) => response.writeHead(403).end('{"error":{"message":"temporarily blocked"}}'),
      'credential',
      'blocked',
    ],
    [
      'words that hold a canary',
      (_request, response) => response.writeHead(400).end(`{"error":"${key}"}`),
      'credential',
      '400',
    ],
  ])('%s', async (_, listener, step, hint) => {
    const [report] = await look([v1(await answering(listener))], { stepMs: 1_500 });
    expect(hintOf(report, step)).toContain(hint);
    expect(report?.findings.credential.state).not.toBe('ok');
  });

  test('a clock that is wrong explains a token that is refused', async () => {
    const origin = await answering((_request, response) => {
      response.writeHead(401, { date: new Date(Date.now() + 20 * 60_000).toUTCString() }).end('{"error":{}}');
    });
    const entra: EntraTokens = () => async () => ({
      token: new Secret('token-canary'),
      expiresAt: Date.now() + 3_600_000,
    });
    const [report] = await look([{ ...v1(origin), apiKey: undefined, auth }], { entra });
    expect(hintOf(report, 'credential')).toMatch(/20 minutes slow/);
  });

  test('many targets are asked side by side, but not all at once', async () => {
    let open = 0;
    let most = 0;
    const enough = Promise.withResolvers<void>();
    const origin = await answering(async (_request, response) => {
      open += 1;
      most = Math.max(most, open);
      if (open === 8) setTimeout(enough.resolve, 100);
      await enough.promise;
      open -= 1;
      response.end('{"data":[]}');
    });
    const targets = Array.from({ length: 20 }, (_, index) => v1(origin, `key-canary-${index}`));
    const reports = await look(targets, { stepMs: 5_000 });
    expect(reports.map(({ findings }) => findings.credential.state)).toEqual(targets.map(() => 'ok'));
    expect(most).toBe(8);
  });
});

test('the table has a line for each target, and a sentence for all that is not well', async () => {
  const [report] = await look([v1(`https://localhost:${await refusedPort()}`)]);
  const [head, row, empty, what, hint] = printReport([report as TargetReport]).split('\n');
  expect(head).toMatch(/^model +target +host +name +connection +tls +response +credential +deployment$/);
  expect(row).toMatch(/^model-0 +1 +localhost:\d+ +ok +FAILED +– +– +– +–$/);
  expect([empty, what]).toEqual(['', 'model-0, target 1, connection FAILED:']);
  expect(hint).toMatch(/^ {2}connection refused/);
});
