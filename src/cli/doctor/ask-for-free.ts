import type { UpstreamMessage } from '../../domain/gateway-error.ts';
import type { UpstreamClient } from '../../upstream/client.ts';
import type { Credential } from '../../upstream/credential.ts';
import { readBounded } from '../../upstream/read-bounded.ts';
import type { AnswerFacts } from './judge-answer.ts';

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
