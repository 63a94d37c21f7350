import { startBounded } from '../../concurrency/semaphore.ts';
import type { ModelsConfig, TargetConfig } from '../../config/models-config.ts';
import { type CredentialSource, isSameCredential } from '../../domain/credential-source.ts';
import { createUpstreamClient } from '../../upstream/client.ts';
import { createCredentials } from '../../upstream/credential.ts';
import type { EntraTokens } from '../../upstream/entra.ts';
import { askForFree } from './ask-for-free.ts';
import { type AnswerFindings, type Ask, askTarget } from './ask-target.ts';
import { notAsked, type TargetReport } from './finding.ts';
import type { AnswerFacts } from './judge-answer.ts';
import { type HostFindings, probeHost } from './probe-host.ts';

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
