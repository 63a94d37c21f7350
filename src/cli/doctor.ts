import { providerOf } from '../app.ts';
import { startBounded } from '../concurrency/semaphore.ts';
import { loadDotEnv } from '../config/environment.ts';
import type { ModelsConfig, ResponsesConfig, TargetConfig } from '../config/models-config.ts';
import { type CredentialSource, isSameCredential } from '../domain/credential-source.ts';
import { createUpstreamClient } from '../upstream/client.ts';
import { createCredentials } from '../upstream/credential.ts';
import type { EntraTokens } from '../upstream/entra.ts';
import type { Command } from './command-line.ts';
import { entraFor, readConfiguration } from './configuration.ts';
import { type Ask, askForFree, askTarget, type Probed, type ResponseFindings } from './doctor/ask-target.ts';
import { hasFailure, notChecked, printReport, type TargetReport } from './doctor/findings.ts';
import type { ResponseFacts } from './doctor/judge-response.ts';
import { type HostFindings, probeHost } from './doctor/probe-host.ts';
import { retirementWarnings } from './retirement-warnings.ts';

export const doctor: Command = {
  name: 'doctor',
  npm: 'npm run doctor',
  words: '',
  about: 'Checks the configuration, then every target over the network with free GET requests.',
  options: {},
  // @azure/identity keeps retrying identities that do not respond, which would keep the process alive.
  exits: true,
  async run() {
    const { models } = readConfiguration(loadDotEnv());
    process.stdout.write('The configuration is valid. Checking its targets with free GET requests:\n\n');
    const reports = await examine(models, { entra: await entraFor(models) });
    process.stdout.write(printReport(reports));
    const warnings = retirementWarnings(models, Date.now());
    if (warnings.length > 0) process.stdout.write(`\n${warnings.map((warning) => `Warning: ${warning}\n`).join('')}`);
    if (hasFailure(reports)) process.exitCode = 1;
  },
};

type Options = {
  /** The source of Entra ID tokens, where a target needs one. */
  readonly entra?: EntraTokens | undefined;
  /** Time limit of each step, in milliseconds. */
  readonly stepMs?: number;
};

/** More could look like an attack to firewalls. */
const atOnce = 8;
const defaultStepMs = 10_000;

/**
 * Checks every target with free GET requests. Targets of one host share its findings; those with equal credentials share
 * responses, too.
 */
export async function examine(
  models: ModelsConfig,
  { entra, stepMs = defaultStepMs }: Options = {},
): Promise<TargetReport[]> {
  const { egressProxy } = models;
  const client = createUpstreamClient({ connectMs: stepMs }, egressProxy);
  const hosts = new Map<string, Promise<HostFindings>>();
  const askerOf = sharedAskers((source) => {
    const credential = credentialOf(source);
    return (url) => askForFree(url, { client, credential, stepMs });
  });
  const credentialOf = createCredentials({ acquireMs: stepMs })(entra);

  async function look({ model, target, baseURL, ...probed }: Subject): Promise<TargetReport> {
    const url = new URL(baseURL);
    const found = hosts.get(url.origin) ?? probeHost(url, egressProxy, stepMs);
    hosts.set(url.origin, found);
    const host = await found;
    const isReachable = host.connection.state === 'ok' && host.tls.state !== 'failed';
    const findings = isReachable ? await askTarget(probed, askerOf(probed.credential)) : nothingChecked;
    return { model, target, host: url.host, findings: { ...host, ...findings } };
  }

  try {
    const tasks = subjectsOf(models).map((subject) => () => look(subject));
    return await Promise.all(startBounded(tasks, { limit: atOnce, goOn: true }));
  } finally {
    await client.close();
  }
}

/** One address that is checked, and what the report calls it. */
type Subject = Probed & { readonly model: string; readonly target: string; readonly baseURL: string };

function subjectsOf({ models, responses }: ModelsConfig): Subject[] {
  const targets = models.flatMap(({ name, targets }) => targets.map((target) => subjectOf(name, target)));
  return responses ? [...targets, forwardingSubject(responses)] : targets;
}

function subjectOf(model: string, target: TargetConfig): Subject {
  const { name, baseURL, credential } = target;
  return { model, target: name, baseURL, credential, probe: providerOf(target).probe(target), smokeModel: model };
}

/** Which deployments clients will ask for is their choice, so there is none to check. */
function forwardingSubject({ target: { baseURL, credential } }: ResponsesConfig): Subject {
  const probe = { credential: [new URL(`${baseURL}/models`)], parts: [], isProject: false } as const;
  return { model: '(responses)', target: 'target', baseURL, credential, probe, smokeModel: undefined };
}

const nothingChecked: ResponseFindings = { response: notChecked, credential: notChecked, deployment: notChecked };

/** One asker per credential, which requests each URL once. */
function sharedAskers(createAsk: (source: CredentialSource) => Ask): (source: CredentialSource) => Ask {
  const askers: { readonly source: CredentialSource; readonly ask: Ask }[] = [];
  return (source) => {
    const known = askers.find((asker) => isSameCredential(asker.source, source));
    if (known) return known.ask;
    const ask = onceForEach(createAsk(source));
    askers.push({ source, ask });
    return ask;
  };
}

function onceForEach(ask: Ask): Ask {
  const responses = new Map<string, Promise<ResponseFacts>>();
  return (url) => {
    const response = responses.get(url.href) ?? ask(url);
    responses.set(url.href, response);
    return response;
  };
}
