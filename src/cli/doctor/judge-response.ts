import type { UpstreamMessage } from '../../domain/gateway-error.ts';
import { describeUpstream, redactUpstream } from '../../telemetry/redact-upstream.ts';
import { type Finding, failed, notChecked, ok, unknown } from './findings.ts';

/** What is known about the response to a free call. */
export type ResponseFacts = {
  readonly status: number;
  /** What the body looks like. */
  readonly body: 'json' | 'web page' | 'anything else';
  /** How far this machine's clock is ahead of the server's, in ms; `undefined` without a `date` header. */
  readonly clockAheadMs: number | undefined;
  /** Whether Azure has blocked the whole resource for its content. */
  readonly isBlocked: boolean;
  /** Azure's error code and message. */
  readonly words?: UpstreamMessage | undefined;
};

/** The credential that was sent, and where. */
export type FreeCall = { readonly shows: 'key' | 'token'; readonly url: URL; readonly isProject: boolean };

type Judged = { readonly response: Finding; readonly credential: Finding };

/** Entra ID tokens look expired or not yet valid when clocks differ by more than this. */
const clockToleranceMs = 5 * 60_000;

/** What a response says about the connection and the credential, with Azure's message. */
export function judgeResponse(facts: ResponseFacts, call: FreeCall): Judged {
  const { response, credential } = judge(facts, call);
  return { response: quoting(response, facts), credential: quoting(credential, facts) };
}

function quoting(finding: Finding, { words }: ResponseFacts): Finding {
  if (words === undefined || !('hint' in finding)) return finding;
  return { ...finding, hint: `${finding.hint} (${describeUpstream(redactUpstream(words, []))})` };
}

function judge(facts: ResponseFacts, call: FreeCall): Judged {
  const { status, body } = facts;
  if (status >= 300 && status < 400) return broken(redirected);
  if (status === 407) return broken('a proxy requires authentication: set `egressProxy`');
  if (body === 'web page' || (status === 200 && body !== 'json')) return broken(noAzure(status));
  if (status === 200) return { response: ok, credential: ok };
  if (status === 401) return { response: ok, credential: failed(refused(facts, call)) };
  if (status === 403) return { response: ok, credential: failed(forbidden(facts, call)) };
  if (status === 404) return notThere(call);
  if (status === 429) return { response: ok, credential: unknown('rate limited (429): try again in a minute') };
  if (status >= 500) return broken(`Azure failed (${status}): try again later, and check its status page`);
  return {
    response: ok,
    credential: unknown(`the response (${status}) does not show whether the credential is valid`),
  };
}

/** What a response says about an agent or a deployment. */
export function judgePart(facts: ResponseFacts, what: string): Finding {
  if (facts.status === 200 && facts.body === 'json') return ok;
  const finding =
    facts.status === 404
      ? failed(`the project has no such ${what}: check the name; a new one needs up to five minutes`)
      : unknown(`the project does not show whether the ${what} exists (${facts.status})`);
  return quoting(finding, facts);
}

/** Why there is no token, by the code that is also in the log. */
export function noTokenHint(code: string): string {
  const clock = ['AADSTS700024', 'AADSTS500133'];
  if (clock.some((one) => code.includes(one))) {
    return `Entra ID rejected the time of the sign-in (${code}): check the clock of this machine`;
  }
  if (code.startsWith('AADSTS')) {
    return `Entra ID refused the sign-in (${code}): check AZURE_TENANT_ID, AZURE_CLIENT_ID and the secret or certificate`;
  }
  return `no identity could get a token${code === '' ? '' : ` (${code})`}: assign a managed or workload identity, set the AZURE_ variables of a service principal, or run \`az login\``;
}

function broken(hint: string): Judged {
  return { response: failed(hint), credential: notChecked };
}

const redirected =
  'the URL redirects, and redirects are never followed: check `baseURL` and its scheme, or sign in to the captive portal of this network';

function noAzure(status: number): string {
  return `the response is a web page, not Azure (${status}): check for a proxy or captive portal in this network, and the host of \`baseURL\``;
}

function refused({ clockAheadMs = 0 }: ResponseFacts, { shows, isProject }: FreeCall): string {
  if (shows === 'key' && isProject) {
    return 'projects accept tokens, not keys: use `auth` with the scope https://ai.azure.com/.default';
  }
  if (shows === 'key')
    return 'the key was rejected: check `apiKey`, whether it was rotated, and that it belongs to this resource';
  if (Math.abs(clockAheadMs) <= clockToleranceMs) {
    return 'the token was rejected: check `auth.entra.scope`, and that the identity belongs to the tenant of this resource';
  }
  const minutes = Math.round(Math.abs(clockAheadMs) / 60_000);
  return `the token was rejected, and the clock of this machine is ${minutes} minutes ${clockAheadMs > 0 ? 'fast' : 'slow'}: correct it`;
}

function forbidden({ isBlocked }: ResponseFacts, { shows, isProject }: FreeCall): string {
  if (isBlocked)
    return 'Azure has blocked the whole resource for its content: contact its support, and use another resource';
  if (shows === 'key')
    return 'the resource blocks this network or disables keys: check its firewall and its authentication settings';
  const role = isProject ? 'Azure AI User on the project' : 'Cognitive Services OpenAI User';
  return `the identity lacks permission: assign it the role ${role}, and check the firewall of the resource`;
}

function notThere({ url, isProject }: FreeCall): Judged {
  const isOpenAiHost = /\.(openai|cognitiveservices)\.azure\.(com|us|cn)$/.test(url.hostname);
  if (isProject) {
    const host = isOpenAiHost
      ? 'projects have another host: `baseURL` must start with https://RESOURCE.services.ai.azure.com'
      : 'the project does not exist: check the end of `baseURL`';
    return { response: failed(host), credential: notChecked };
  }
  return {
    response: ok,
    credential: unknown(
      'the list of models was not found (404): check host and path of `baseURL`, and `apiVersion`; API Management may not forward it',
    ),
  };
}
