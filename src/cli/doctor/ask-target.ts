import type { TargetConfig } from '../../config/models-config.ts';
import { GatewayError, type UpstreamMessage } from '../../domain/gateway-error.ts';
import type { UpstreamClient } from '../../upstream/client.ts';
import type { Credential } from '../../upstream/credential.ts';
import { readBounded } from '../../upstream/read-bounded.ts';
import { type Finding, failed, notAsked, type Step, unknown } from './findings.ts';
import { freeQuestions, isProject } from './free-questions.ts';
import { type AnswerFacts, type AskedAs, judgeAnswer, judgePart, noTokenHint } from './judge-answer.ts';

export type AnswerFindings = Readonly<Record<Extract<Step, 'answer' | 'credential' | 'deployment'>, Finding>>;

/** One GET that costs nothing, with the target's credential. */
export type Ask = (url: URL) => Promise<AnswerFacts>;

/** Asks what can be asked for free. It never rejects. @param model for the hint how to find out the rest */
export async function askTarget(target: TargetConfig, model: string, ask: Ask): Promise<AnswerFindings> {
  const { credential: urls, parts } = freeQuestions(target);
  try {
    const { facts, url, isFirst } = await askInTurn(urls, ask);
    const judged = judgeAnswer(facts, askedAs(target, url));
    if (judged.credential.state !== 'ok') return { ...judged, deployment: notAsked };
    const found = await Promise.all(parts.map(async ({ what, url: part }) => judgePart(await ask(part), what)));
    return { ...judged, deployment: worst(found) ?? unknown(isFirst ? smokeHint(model) : versionHint(model)) };
  } catch (error) {
    return failure(error);
  }
}

function askedAs(target: TargetConfig, url: URL): AskedAs {
  return { shows: 'scope' in target.credential ? 'token' : 'key', url, isProject: isProject(target) };
}

type Asked = { readonly facts: AnswerFacts; readonly url: URL; readonly isFirst: boolean };

async function askInTurn([url, ...others]: FreeUrls, ask: Ask): Promise<Asked> {
  const facts = await ask(url);
  const [next, ...rest] = others;
  if (facts.status !== 404 || next === undefined) return { facts, url, isFirst: true };
  return { ...(await askInTurn([next, ...rest], ask)), isFirst: false };
}

type FreeUrls = ReturnType<typeof freeQuestions>['credential'];

function worst(findings: readonly Finding[]): Finding | undefined {
  const withState = (state: Finding['state']) => findings.find((finding) => finding.state === state);
  return withState('failed') ?? withState('unknown') ?? withState('ok');
}

function failure(error: unknown): AnswerFindings {
  if (error instanceof GatewayError && error.kind === 'upstream_auth_failed') {
    return { answer: notAsked, credential: failed(noTokenHint(signInCode(error.cause))), deployment: notAsked };
  }
  const isLate = error instanceof Error && error.name === 'TimeoutError';
  return { answer: failed(isLate ? silent : cut), credential: notAsked, deployment: notAsked };
}

/** Microsoft's code, or what the failure is called: `TimeoutError` where no identity answers. */
function signInCode(cause: unknown): string {
  const { code, name } = (cause ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name ?? '');
}

const silent = 'the host takes connections, but does not answer: a firewall or proxy may hold the call; try again';
const cut = 'the connection broke before there was an answer: a firewall or proxy may cut it; try again';

function smokeHint(model: string): string {
  return `no call that is free tells whether the deployment exists and draws: npm run smoke -- ${model} makes one image`;
}

function versionHint(model: string): string {
  return `the resource lists its models in an older version only, not in that of \`apiVersion\`: check it; npm run smoke -- ${model} makes one image`;
}

type Asking = { readonly client: UpstreamClient; readonly credential: Credential; readonly stepMs: number };

/** Enough to see what kind of answer it is. */
const shownBytes = 64 * 1024;

/** One GET. Only the beginning of its answer is read. Rejects with what broke it. */
export async function askForFree(url: URL, { client, credential, stepMs }: Asking): Promise<AnswerFacts> {
  // A token has a time of its own, so that the wait for it is not taken for a silent Azure.
  await credential.show(AbortSignal.timeout(2 * stepMs));
  const { status, headers, body } = await client.get(url, { credential, signal: AbortSignal.timeout(stepMs) });
  const date = Date.parse(headers.date ?? '');
  const { text } = await readBounded(body, { bytes: shownBytes, ms: stepMs });
  return {
    status,
    body: /^\s*[{[]/.test(text) ? 'json' : /^\s*</.test(text) ? 'web page' : 'anything else',
    clockAheadMs: Number.isNaN(date) ? undefined : Date.now() - date,
    isBlocked: /temporarily blocked/i.test(text),
    words: status >= 400 ? wordsOf(status, text) : undefined,
  };
}

/** What an error says in its own words, as Azure and API Management write it. */
function wordsOf(status: number, text: string): UpstreamMessage | undefined {
  try {
    const { error, ...flat } = JSON.parse(text);
    const { code, message } = error ?? flat;
    const texts = { code: asText(code), message: asText(message) };
    return (texts.code ?? texts.message) ? { status, ...texts } : undefined;
  } catch {
    return undefined;
  }
}

function asText(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
