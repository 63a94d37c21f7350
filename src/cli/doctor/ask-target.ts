import type { CredentialSource } from '../../domain/credential-source.ts';
import type { FreeProbe } from '../../domain/free-probe.ts';
import { GatewayError, type UpstreamMessage } from '../../domain/gateway-error.ts';
import type { UpstreamClient } from '../../upstream/client.ts';
import type { Credential } from '../../upstream/credential.ts';
import { readBounded } from '../../upstream/read-bounded.ts';
import { type Finding, failed, notChecked, type Step, unknown } from './findings.ts';
import { judgePart, judgeResponse, noTokenHint, type ResponseFacts } from './judge-response.ts';

export type ResponseFindings = Readonly<Record<Extract<Step, 'response' | 'credential' | 'deployment'>, Finding>>;

/** One free GET with the target's credential. */
export type Ask = (url: URL) => Promise<ResponseFacts>;

/** What is to be checked. */
export type Probed = {
  readonly probe: FreeProbe;
  readonly credential: CredentialSource;
  /** The logical model that checks the rest, because no free call can; `undefined`: there is no more to check. */
  readonly smokeModel: string | undefined;
};

/** Checks what free calls can tell. Never rejects. */
export async function askTarget({ probe, credential, smokeModel }: Probed, ask: Ask): Promise<ResponseFindings> {
  const { credential: urls, parts, isProject } = probe;
  const shows = 'scope' in credential ? 'token' : 'key';
  try {
    const { facts, url, isFirst } = await askInTurn(urls, ask);
    const judged = judgeResponse(facts, { shows, url, isProject });
    if (judged.credential.state !== 'ok') return { ...judged, deployment: notChecked };
    const found = await Promise.all(parts.map(async ({ what, url: part }) => judgePart(await ask(part), what)));
    return { ...judged, deployment: worst(found) ?? unchecked(smokeModel, isFirst) };
  } catch (error) {
    return failure(error);
  }
}

type Asked = { readonly facts: ResponseFacts; readonly url: URL; readonly isFirst: boolean };

async function askInTurn([url, ...others]: FreeUrls, ask: Ask): Promise<Asked> {
  const facts = await ask(url);
  const [next, ...rest] = others;
  if (facts.status !== 404 || next === undefined) return { facts, url, isFirst: true };
  return { ...(await askInTurn([next, ...rest], ask)), isFirst: false };
}

type FreeUrls = readonly [URL, ...URL[]];

function worst(findings: readonly Finding[]): Finding | undefined {
  const withState = (state: Finding['state']) => findings.find((finding) => finding.state === state);
  return withState('failed') ?? withState('unknown') ?? withState('ok');
}

function failure(error: unknown): ResponseFindings {
  if (error instanceof GatewayError && error.kind === 'upstream_auth_failed') {
    return { response: notChecked, credential: failed(noTokenHint(signInCode(error.cause))), deployment: notChecked };
  }
  const isLate = error instanceof Error && error.name === 'TimeoutError';
  return { response: failed(isLate ? silent : cut), credential: notChecked, deployment: notChecked };
}

/** Microsoft's error code, or the error's name: `TimeoutError` where no identity responds. */
function signInCode(cause: unknown): string {
  const { code, name } = (cause ?? {}) as { code?: unknown; name?: unknown };
  return typeof code === 'string' ? code : String(name ?? '');
}

const silent = 'the host accepts connections but does not respond: a firewall or proxy may hold the call; try again';
const cut = 'the connection was closed before a response: a firewall or proxy may cut it; try again';

function unchecked(model: string | undefined, isFirst: boolean): Finding {
  if (model === undefined) return notChecked;
  return unknown(isFirst ? smokeHint(model) : versionHint(model));
}

function smokeHint(model: string): string {
  return `no free call shows whether the deployment exists and works: npm run smoke -- ${model} makes one image`;
}

function versionHint(model: string): string {
  return `the resource lists its models only in an older version than \`apiVersion\`: check it; npm run smoke -- ${model} makes one image`;
}

type Asking = { readonly client: UpstreamClient; readonly credential: Credential; readonly stepMs: number };

/** Enough to recognise the kind of response. */
const shownBytes = 64 * 1024;

/** One GET, of which only the start of the body is read. Rejects with the network error. */
export async function askForFree(url: URL, { client, credential, stepMs }: Asking): Promise<ResponseFacts> {
  // The token has its own time limit, so that a slow identity is not reported as an Azure that does not respond.
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

/** Code and message of an error body, as Azure and API Management write it. */
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
