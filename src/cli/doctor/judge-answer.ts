import type { UpstreamMessage } from '../../domain/gateway-error.ts';
import { describeUpstream, redactUpstream } from '../../domain/redact-upstream.ts';
import { type Finding, failed, notAsked, ok, unknown } from './findings.ts';

/** What is known of an answer to a free question. */
export type AnswerFacts = {
  readonly status: number;
  /** What the body looks like. */
  readonly body: 'json' | 'web page' | 'anything else';
  /** How far this machine's clock is before that of the server, in ms; `undefined`: it has not told its time. */
  readonly clockAheadMs: number | undefined;
  /** Whether Azure says that the whole resource is blocked for its content. */
  readonly isBlocked: boolean;
  /** What an error says in its own words. */
  readonly words?: UpstreamMessage | undefined;
};

/** Who asks, and where. */
export type AskedAs = { readonly shows: 'key' | 'token'; readonly url: URL; readonly isProject: boolean };

export type Judged = { readonly answer: Finding; readonly credential: Finding };

/** Entra's tokens are taken as new or expired when clocks differ by more than this. */
const clockToleranceMs = 5 * 60_000;

/** What an answer says about the way there, and about the credential that was shown; in Azure's own words, too. */
export function judgeAnswer(facts: AnswerFacts, asked: AskedAs): Judged {
  const { answer, credential } = judge(facts, asked);
  return { answer: quoting(answer, facts), credential: quoting(credential, facts) };
}

function quoting(finding: Finding, { words }: AnswerFacts): Finding {
  if (words === undefined || !('hint' in finding)) return finding;
  return { ...finding, hint: `${finding.hint} (${describeUpstream(redactUpstream(words, []))})` };
}

function judge(facts: AnswerFacts, asked: AskedAs): Judged {
  const { status, body } = facts;
  if (status >= 300 && status < 400) return broken(redirected);
  if (status === 407) return broken('a proxy wants credentials before it lets calls through: set `egressProxy`');
  if (body === 'web page' || (status === 200 && body !== 'json')) return broken(noAzure(status));
  if (status === 200) return { answer: ok, credential: ok };
  if (status === 401) return { answer: ok, credential: failed(refused(facts, asked)) };
  if (status === 403) return { answer: ok, credential: failed(forbidden(facts, asked)) };
  if (status === 404) return notThere(asked);
  if (status === 429) return { answer: ok, credential: unknown('Azure asks for a wait (429): try again in a minute') };
  if (status >= 500)
    return broken(`Azure has trouble of its own (${status}): try again later, and see its status page`);
  return { answer: ok, credential: unknown(`the answer (${status}) does not say whether the credential is good`) };
}

/** What the answer to a question after an agent or a deployment says. */
export function judgePart(facts: AnswerFacts, what: string): Finding {
  if (facts.status === 200 && facts.body === 'json') return ok;
  const finding =
    facts.status === 404
      ? failed(
          `the project does not know the ${what} of this target: check its name; a new one needs up to five minutes`,
        )
      : unknown(`the project does not tell whether the ${what} of this target exists (${facts.status})`);
  return quoting(finding, facts);
}

/** Why there was no token, by the codes that the log has, too. */
export function noTokenHint(code: string): string {
  const clock = ['AADSTS700024', 'AADSTS500133'];
  if (clock.some((one) => code.includes(one))) {
    return `Entra ID finds the time wrong (${code}): check the clock of this machine`;
  }
  if (code.startsWith('AADSTS')) {
    return `Entra ID refused the sign-in (${code}): check AZURE_TENANT_ID, AZURE_CLIENT_ID and the secret or certificate`;
  }
  return `no identity could get a token${code === '' ? '' : ` (${code})`}: assign a managed or workload identity, set the AZURE_ variables of a service principal, or run \`az login\``;
}

function broken(hint: string): Judged {
  return { answer: failed(hint), credential: notAsked };
}

const redirected =
  'the address redirects, which is never followed: check `baseURL` and its https, or sign in to the captive portal of this network';

function noAzure(status: number): string {
  return `a web page answers, not Azure (${status}): a proxy or captive portal of this network, or a wrong host in \`baseURL\``;
}

function refused({ clockAheadMs = 0 }: AnswerFacts, { shows, isProject }: AskedAs): string {
  if (shows === 'key' && isProject) {
    return 'a project takes tokens, not keys: use `auth` with the scope https://ai.azure.com/.default';
  }
  if (shows === 'key')
    return 'the key is not accepted: check `apiKey`, whether it was rotated, and that it is one of this resource';
  if (Math.abs(clockAheadMs) <= clockToleranceMs) {
    return 'the token is not accepted: check `auth.entra.scope`, and that the identity is of the tenant of this resource';
  }
  const minutes = Math.round(Math.abs(clockAheadMs) / 60_000);
  return `the token is not accepted, and the clock of this machine is ${minutes} minutes ${clockAheadMs > 0 ? 'fast' : 'slow'}: set it right`;
}

function forbidden({ isBlocked }: AnswerFacts, { shows, isProject }: AskedAs): string {
  if (isBlocked)
    return 'Azure has blocked the whole resource for its content: ask its support, and use another resource';
  if (shows === 'key')
    return 'the resource refuses this network, or keys at all: check its firewall, and whether keys are disabled';
  const role = isProject ? 'Azure AI User on the project' : 'Cognitive Services OpenAI User';
  return `the identity may not do this: give it the role ${role}, and check the firewall of the resource`;
}

function notThere({ url, isProject }: AskedAs): Judged {
  const isOpenAiHost = /\.(openai|cognitiveservices)\.azure\.(com|us|cn)$/.test(url.hostname);
  if (isProject) {
    const host = isOpenAiHost
      ? 'projects are on another host of the resource: `baseURL` begins with https://RESOURCE.services.ai.azure.com'
      : 'there is no such project: check the end of `baseURL`';
    return { answer: failed(host), credential: notAsked };
  }
  return {
    answer: ok,
    credential: unknown(
      'the list of models is not there (404): check host and path of `baseURL`, and `apiVersion`; API Management may not pass it on',
    ),
  };
}
