import { Readable } from 'node:stream';
import { z } from 'zod';
import { parseJson } from '../../codec/json-text.ts';
import type { Checked, DialectTarget } from '../../domain/dialect.ts';
import type { ImageEvent } from '../../domain/image-event.ts';
import type { ImageProvider, ProviderCall, UpstreamHandle } from '../../domain/image-provider.ts';
import { jsonBody, type PaidBody, type UpstreamResponse } from '../../upstream/client.ts';
import { invalidResponse } from '../../upstream/paid-call-error.ts';
import { readBounded } from '../../upstream/read-bounded.ts';
import { retryHint } from '../../upstream/retry-hint.ts';
import { errorBodyLimits, errorInSuccess, requireSuccess } from '../azure/azure-error.ts';
import {
  apiVersion,
  deploymentIn,
  endsLikeRequest,
  endsWithV1,
  knownVersion,
  versioned,
} from '../azure/azure-target.ts';
import { imagesBody } from '../azure/images-body.ts';
import { memberOf } from '../azure/json-values.ts';
import { lostJob, pollUntilEnded } from '../azure/poll-until-ended.ts';
import type { ProviderDeps, ProviderDescriptor } from '../provider-descriptor.ts';
import { operationEvents, operationUrl, operationUrlOf, readOperation } from './azure-operation.ts';

/** `baseURL` is the resource root; the protocol's paths begin with `/openai/`. */
export type AzureAsyncConfig = DialectTarget & { readonly apiVersion: string };

/** The legacy asynchronous flow of Azure's DALL·E 2: submit, poll the operation, take its links. */
export const azureAsync: ProviderDescriptor<AzureAsyncConfig> = {
  id: 'azure-async',
  schema: z.strictObject({ apiVersion: apiVersion.default('2023-06-01-preview') }),
  azurePath: /^\/$/i,
  // Azure takes a job off its queue after two minutes.
  timeoutMs: 120_000,
  address(url) {
    const address = asyncBaseURL(url);
    return 'problem' in address ? address : { ok: { baseURL: address.ok } };
  },
  likelyPath: () => '',
  addresses: (config) => [{ url: submitUrlOf(config).href, remarks: [] }],
  create: createAzureAsync,
  probe: ({ baseURL }) => ({
    credential: [versioned(`${baseURL}/openai/models`, knownVersion)],
    parts: [],
    isProject: false,
  }),
};

/** The resource root, where `/openai` at the end is taken off because the protocol adds it. */
export function asyncBaseURL(url: string): Checked<string> {
  if (endsWithV1(url) || deploymentIn(url) !== undefined || endsLikeRequest(url)) {
    return { problem: 'must be the resource itself: azure-async adds the path /openai/…' };
  }
  return { ok: url.replace(/\/openai$/, '') };
}

function submitUrlOf({ baseURL, apiVersion: version }: AzureAsyncConfig): URL {
  return versioned(`${baseURL}/openai/images/generations:submit`, version);
}

function createAzureAsync(config: AzureAsyncConfig, { credential, client }: ProviderDeps): ImageProvider {
  const { baseURL, apiVersion: version } = config;
  const submitUrl = submitUrlOf(config);

  /** Submits the job; gives the URL to poll, and what the response says about when to do so first. */
  async function submit(body: PaidBody, call: ProviderCall): Promise<{ url: URL; firstHintMs: number | undefined }> {
    const response = await client.post(submitUrl, { credential, body }, call);
    await requireSuccess(response);
    const location = operationUrl(response.headers['operation-location'], baseURL);
    const firstHintMs = retryHint(response.headers);
    if ('refused' in location) return { url: await urlInBody(response, location.refused), firstHintMs };
    // The body only repeats what the header says.
    response.body.destroy();
    if (location.isForeignHost) call.recorder.anomaly('foreign_operation_host');
    return { url: location.url, firstHintMs };
  }

  /**
   * Where to poll a job of which only the body says which one it is. Rejects when it says that there is none, and when
   * it cannot be followed: then it may run, and be billed.
   */
  async function urlInBody({ body }: UpstreamResponse, cause: string): Promise<URL> {
    const state = parseJson((await readBounded(body, errorBodyLimits)).text);
    const error = memberOf(state, 'error') ?? undefined;
    if (error !== undefined) throw errorInSuccess(error);
    const url = operationUrlOf(memberOf(state, 'id'), baseURL, version);
    if (url === undefined) throw invalidResponse(cause);
    return url;
  }

  /** Polls an operation until it has ended, and gives its links. */
  async function follow(url: URL, call: ProviderCall, firstHintMs?: number): Promise<AsyncIterable<ImageEvent>> {
    const operation = await pollUntilEnded({
      poll: (signal) => client.get(url, { credential, signal }),
      read: readOperation,
      firstHintMs,
      signal: call.signal,
      until: call.retryUntil,
    });
    return Readable.from(operationEvents(operation));
  }

  return {
    id: 'azure-async',
    operations: ['generate'],
    async generate(request, call) {
      const body = jsonBody({ ...imagesBody(request, undefined), response_format: undefined });
      const { url, firstHintMs } = await submit(body, call);
      await call.note(handleOf(url));
      return follow(url, call, firstHintMs);
    },
    async resume(handle, call) {
      // Whoever has a handle has sent, and paid, the submit before.
      call.attempt.sent = true;
      const location = operationUrl(handle, baseURL);
      // Anything but the path and query that `generate` notes may lead elsewhere.
      if ('refused' in location || handleOf(location.url) !== handle) {
        throw lostJob('the handle names no operation of this resource');
      }
      return follow(location.url, call);
    },
  };
}

function handleOf({ pathname, search }: URL): UpstreamHandle {
  return `${pathname}${search}`;
}
