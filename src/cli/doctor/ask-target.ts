import type { TargetConfig } from '../../config/models-config.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import { type Finding, failed, notAsked, type Step, unknown } from './finding.ts';
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
