import { startBounded } from '../concurrency/start-bounded.ts';
import { loadDotEnv } from '../config/environment.ts';
import type { ModelsConfig, TargetConfig } from '../config/models-config.ts';
import { type CredentialSource, isSameCredential } from '../domain/credential-source.ts';
import { createUpstreamClient } from '../upstream/client.ts';
import { createCredentials } from '../upstream/credentials.ts';
import type { EntraTokens } from '../upstream/entra.ts';
import type { Command } from './command-line.ts';
import { entraFor, readConfiguration } from './configuration.ts';
import { type AnswerFindings, type Ask, askForFree, askTarget } from './doctor/ask-target.ts';
import { hasFailure, notAsked, printReport, type TargetReport } from './doctor/findings.ts';
import type { AnswerFacts } from './doctor/judge-answer.ts';
import { type HostFindings, probeHost } from './doctor/probe-host.ts';

export const doctor: Command = {
  name: 'doctor',
  npm: 'npm run doctor',
  words: '',
  about: 'Checks the configuration, then every target over the network with free GET requests.',
  options: {},
  async run() {
    const { models } = readConfiguration(loadDotEnv());
    process.stdout.write('The configuration is valid. Looking at its targets, by GETs that cost nothing:\n\n');
    const reports = await examine(models, { entra: await entraFor(models) });
    process.stdout.write(printReport(reports));
    if (hasFailure(reports)) process.exitCode = 1;
  },
};

type Options = {
  /** The way to tokens, where a target needs one. */
  readonly entra?: EntraTokens | undefined;
  /** The limit of each step, in milliseconds. */
  readonly stepMs?: number;
};

/** More would look like an attack to some firewalls. */
const atOnce = 8;
const defaultStepMs = 10_000;

/**
 * Looks at every target, by GETs that cost nothing. Targets of one host share what was found on the way there, and those
 * with equal credentials the answers, too.
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

  async function look(model: string, target: TargetConfig): Promise<TargetReport> {
    const url = new URL(target.baseURL);
    const found = hosts.get(url.origin) ?? probeHost(url, egressProxy, stepMs);
    hosts.set(url.origin, found);
    const host = await found;
    const isReachable = host.connection.state === 'ok' && host.tls.state !== 'failed';
    const answers = isReachable ? await askTarget(target, model, askerOf(target.credential)) : nothingAsked;
    return { model, target: target.name, host: url.host, findings: { ...host, ...answers } };
  }

  try {
    const tasks = models.models.flatMap(({ name, targets }) => targets.map((target) => () => look(name, target)));
    return await Promise.all(startBounded(tasks, { limit: atOnce, goOn: true }));
  } finally {
    await client.close();
  }
}

const nothingAsked: AnswerFindings = { answer: notAsked, credential: notAsked, deployment: notAsked };

/** One asker for each credential, which asks for each address once. */
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
  const answers = new Map<string, Promise<AnswerFacts>>();
  return (url) => {
    const answer = answers.get(url.href) ?? ask(url);
    answers.set(url.href, answer);
    return answer;
  };
}
