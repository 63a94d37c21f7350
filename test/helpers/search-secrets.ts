import type { ServerResponse } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { expect } from 'vitest';
import type { EntraTokens } from '../../src/upstream/entra.ts';

/** The beginnings of images in base64, any long run of it, signatures of links to Azure's storage, and tokens. */
const marksOfSecrets = [
  /iVBORw0KGgo|\/9j\/4[A-Za-z0-9+/]{8}|UklGR[A-Za-z0-9+/]{8}|;base64,[A-Za-z0-9+/]{8}/,
  /(?=[A-Za-z0-9+/]*[A-Z])(?=[A-Za-z0-9+/]*[a-z])(?=[A-Za-z0-9+/]*\d)[A-Za-z0-9+/]{120}/,
  /(?:\b|%3f|%26)sig(?:=|%3d)[^&"\s]+/i,
  /\beyJ[\w-]{8,}\.[\w-]{8,}/,
];

/** What of a text must not be in sight: any of these secrets, and the marks of images, signatures and tokens. */
export function findSecrets(text: string, secrets: Iterable<string>): string[] {
  const found = [...secrets].filter(
    (secret) => isTelling(secret) && spellings(secret).some((one) => text.includes(one)),
  );
  const marks = marksOfSecrets.flatMap((mark) => text.match(mark) ?? []);
  return [...found, ...marks].map((secret) => secret.slice(0, 80));
}

/** Shorter texts are everywhere: the prompt `a` says nothing. */
function isTelling(secret: string): boolean {
  return secret.trim().length >= 5;
}

function spellings(secret: string): string[] {
  return [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret.toWellFormed())];
}

/** Remembers the secrets of one gateway, and searches for them in everything that others see of it. */
export class SecretWatch {
  readonly #credentials: Set<string>;
  readonly #prompts = new Set<string>();
  readonly #errorBodies: string[] = [];
  /** Names of models may be prompts, too, and are no secrets. */
  readonly #names: string;

  /** @param models content of the models file */
  constructor(keys: readonly string[], models: object) {
    this.#credentials = new Set([...keys, ...apiKeysIn(models)]);
    this.#names = JSON.stringify(models);
  }

  /** To be called before it listens. */
  listenTo(server: FastifyInstance): void {
    server.addHook('onRequest', (request, reply, done) => {
      for (const key of presentedIn(request.headers)) this.#credentials.add(key);
      keepErrorBodies(reply.raw, this.#errorBodies);
      reply.raw.once('close', () => this.#prompts.add(request.record?.request?.prompt ?? ''));
      done();
    });
  }

  /** The same way to tokens. */
  remembering(entra: EntraTokens | undefined): EntraTokens | undefined {
    if (entra === undefined) return undefined;
    return (scope) => {
      const acquire = entra(scope);
      return async (signal) => {
        const acquired = await acquire(signal);
        this.#credentials.add(acquired.token.expose());
        return acquired;
      };
    };
  }

  /** Fails when the log, the metrics, or the body of an error holds a key, a prompt, an image or a signature. */
  expectNoneIn({ log, metrics }: { readonly log: string; readonly metrics: string }): void {
    const prompts = [...this.#prompts].filter((prompt) => !this.#names.includes(prompt));
    const secrets = [...this.#credentials, ...prompts];
    const seen = {
      log: findSecrets(log, secrets),
      metrics: findSecrets(metrics, secrets),
      errors: findSecrets(this.#errorBodies.join('\n'), secrets),
    };
    expect(seen, 'secrets in sight').toEqual({ log: [], metrics: [], errors: [] });
  }
}

/** Every `apiKey`, and the values of all `headers`. */
function apiKeysIn(value: unknown): string[] {
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, member]) => {
    if (name === 'headers') return Object.values(member as object).map(String);
    return name === 'apiKey' && typeof member === 'string' ? [member] : apiKeysIn(member);
  });
}

function presentedIn(headers: Readonly<Record<string, string | string[] | undefined>>): string[] {
  const values = ['authorization', 'api-key', 'x-api-key', 'cookie'].map((name) => headers[name]);
  return values.filter((value) => typeof value === 'string').map((value) => value.replace(/^(?:Bearer|Basic) +/i, ''));
}

/** Remembers what is written of a response that is an error, or of an error event in a stream. */
function keepErrorBodies(response: ServerResponse, bodies: string[]): void {
  const keep = (chunk: unknown) => {
    if (typeof chunk !== 'string' && !Buffer.isBuffer(chunk)) return;
    const isEvent = chunk.length < 16_384 && chunk.includes('event: error');
    if (response.statusCode >= 400 || isEvent) bodies.push(chunk.toString());
  };
  for (const name of ['write', 'end'] as const) {
    const original = response[name] as (...args: unknown[]) => never;
    response[name] = (...args: unknown[]) => {
      keep(args[0]);
      return Reflect.apply(original, response, args);
    };
  }
}
