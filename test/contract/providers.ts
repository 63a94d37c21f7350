import { tmpdir } from 'node:os';
import { onTestFinished } from 'vitest';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { Attempt, ImageProvider, ProviderCall, UpstreamHandle } from '../../src/domain/image-provider.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { Anomaly } from '../../src/domain/recorder.ts';
import { Secret } from '../../src/domain/secret.ts';
import { plainRequest } from '../../src/parameters/parameter-samples.ts';
import { azureAsync } from '../../src/providers/azure-async/azure-async.ts';
import * as images from '../../src/providers/azure-images/images-descriptors.ts';
import { flux } from '../../src/providers/flux/flux.ts';
import { foundryAgent } from '../../src/providers/foundry-agent/foundry-agent.ts';
import { mai } from '../../src/providers/mai/mai.ts';
import { createTemporaryInputStores } from '../../src/storage/temporary-input-store.ts';
import { createUpstreamClient, type UpstreamClient } from '../../src/upstream/client.ts';
import { type Credential, keyCredential } from '../../src/upstream/credential.ts';
import { azureOrigin, type MockedAzure, type Reply } from './mock-azure.ts';

export const upstreamKey = 'upstream-key-canary';
export const deployment = 'deployment-canary';
export const credential = keyCredential(new Secret(upstreamKey));

/** These tests are about one call; what follows a failure has tests of its own. */
const once = { maxRetries: 0 };

const openInputs = createTemporaryInputStores(tmpdir());

function named(provider: string) {
  return { provider, model: 'gpt-image-2' };
}

/** One way to address Azure, with what is needed to run the provider alone and behind the whole gateway. */
export type ProviderUnderTest = {
  readonly name: string;
  /** Path and query of the paid POST. */
  readonly paidPath: string;
  readonly create: (client: UpstreamClient) => ImageProvider;
  /** The same in the models file. */
  readonly target: Readonly<Record<string, unknown>>;
};

export const azureDeployment: ProviderUnderTest = {
  name: 'azure-deployment',
  paidPath: `/openai/deployments/${deployment}/images/generations?api-version=2025-04-01-preview`,
  create: (client) =>
    images.azureDeployment.create(
      {
        ...named('azure-deployment'),
        baseURL: `${azureOrigin}/openai/deployments/${deployment}`,
        apiVersion: '2025-04-01-preview',
        deployment,
      },
      { client, credential, openInputs },
    ),
  target: {
    ...once,
    provider: 'azure-deployment',
    model: 'gpt-image-2',
    baseURL: `${azureOrigin}/openai/deployments/${deployment}`,
    apiVersion: '2025-04-01-preview',
    apiKey: upstreamKey,
  },
};

export const azureV1: ProviderUnderTest = {
  name: 'azure-v1',
  paidPath: '/openai/v1/images/generations',
  create: (client) =>
    images.azureV1.create(
      { ...named('azure-v1'), baseURL: `${azureOrigin}/openai/v1`, deployment },
      { client, credential, openInputs },
    ),
  target: {
    ...once,
    provider: 'azure-v1',
    model: 'gpt-image-2',
    baseURL: azureOrigin,
    deployment,
    apiKey: upstreamKey,
  },
};

export const azureV1WithVersion: ProviderUnderTest = {
  name: 'azure-v1 with apiVersion',
  paidPath: '/openai/v1/images/generations?api-version=preview',
  create: (client) =>
    images.azureV1.create(
      { ...named('azure-v1'), baseURL: `${azureOrigin}/openai/v1`, deployment, apiVersion: 'preview' },
      { client, credential, openInputs },
    ),
  target: { ...azureV1.target, apiVersion: 'preview' },
};

/** The legacy flow at another address, or with another credential. */
export function azureAsyncWith({ baseURL = azureOrigin, credential: own = credential }) {
  const config = { ...named('azure-async'), baseURL, apiVersion: '2023-06-01-preview' };
  return (client: UpstreamClient) => azureAsync.create(config, { client, credential: own, openInputs });
}

export const azureAsyncFlow: ProviderUnderTest = {
  name: 'azure-async',
  paidPath: '/openai/images/generations:submit?api-version=2023-06-01-preview',
  create: azureAsyncWith({}),
  target: { ...once, provider: 'azure-async', model: 'dall-e-2', baseURL: azureOrigin, apiKey: upstreamKey },
};

const project = `${azureOrigin}/api/projects/project-canary`;
export const imageDeployment = 'image-deployment-canary';
export const agent = 'agent-canary';

type FoundryOptions = Parameters<typeof foundryAgent.create>[0] & { readonly credential: Credential };

/** The options of {@link foundryTool}'s provider, for tests that change some of them. */
export const foundryOptions: FoundryOptions = {
  ...named('foundry-agent'),
  baseURL: project,
  agent,
  imageDeployment,
  credential,
};

/** The tool of an agent, called with these options. */
export function foundryToolWith({
  credential: own = credential,
  ...options
}: Partial<FoundryOptions>): ProviderUnderTest {
  const { credential: _, agent, ...common } = foundryOptions;
  const config = { ...common, ...(options.chatDeployment === undefined && { agent }), ...options };
  return { ...foundryTool, create: (client) => foundryAgent.create(config, { client, credential: own, openInputs }) };
}

export const foundryTool: ProviderUnderTest = {
  name: 'foundry-agent',
  paidPath: '/api/projects/project-canary/openai/v1/responses',
  create: (client) => foundryAgent.create(foundryOptions, { client, credential, openInputs }),
  target: {
    ...once,
    provider: 'foundry-agent',
    model: 'gpt-image-2',
    baseURL: project,
    agent,
    imageDeployment,
    apiKey: upstreamKey,
  },
};

export const foundryBackground: ProviderUnderTest = {
  name: 'foundry-agent in the background',
  paidPath: foundryTool.paidPath,
  create: (client) => foundryAgent.create({ ...foundryOptions, background: true }, { client, credential, openInputs }),
  target: { ...foundryTool.target, background: true },
};

export const maiImage: ProviderUnderTest = {
  name: 'mai',
  paidPath: '/mai/v1/images/generations',
  create: (client) =>
    mai.create(
      { provider: 'mai', model: 'MAI-Image-2.6', baseURL: azureOrigin, deployment },
      { client, credential, openInputs },
    ),
  target: { ...once, provider: 'mai', model: 'MAI-Image-2.6', baseURL: azureOrigin, deployment, apiKey: upstreamKey },
};

export const flux2: ProviderUnderTest = {
  name: 'flux',
  paidPath: '/providers/blackforestlabs/v1/flux-2-flex?api-version=preview',
  create: (client) =>
    flux.create(
      { provider: 'flux', model: 'FLUX.2-flex', baseURL: azureOrigin, deployment, apiVersion: 'preview' },
      { client, credential, openInputs },
    ),
  target: { ...once, provider: 'flux', model: 'FLUX.2-flex', baseURL: azureOrigin, deployment, apiKey: upstreamKey },
};

/** Each names its own parameters in its errors. */
export const edgeProviders = [maiImage, flux2];
export const synchronousProviders = [azureDeployment, azureV1, azureV1WithVersion];
export const foundryProviders = [foundryTool, foundryBackground];
export const allProviders = [...synchronousProviders, azureAsyncFlow, ...foundryProviders, ...edgeProviders];

/** Where the operation of the mocked submit is polled. */
export const operationPath =
  '/openai/operations/images/f508bcf2-e651-4b4b-85a7-58ad77981ffa?api-version=2023-06-01-preview';

/** Keeps polling tests short: Azure may demand any pause. */
export const soon = { 'retry-after-ms': '1' };

export const accepted: Reply = {
  status: 202,
  headers: { 'operation-location': `${azureOrigin}${operationPath}`, ...soon },
  body: { id: 'f508bcf2-e651-4b4b-85a7-58ad77981ffa', status: 'notRunning' },
};

/** Azure accepts the submit, and responds with these to its polls. */
export function acceptOperation(azure: MockedAzure, ...polls: readonly Reply[]): void {
  azure.post(azureAsyncFlow.paidPath, accepted);
  azure.get(operationPath, ...polls.map((poll) => ({ ...poll, headers: { ...soon, ...poll.headers } })));
}

export const responseId = 'resp_0a1b2c';
export const responsePath = `${foundryTool.paidPath}/${responseId}`;
export const cancelPath = `${responsePath}/cancel`;

/** A response of the Responses API, with what surrounds an image there. */
export function responseOf(output: readonly unknown[], members: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    id: responseId,
    object: 'response',
    created_at: 1713833628,
    status: 'completed',
    error: null,
    incomplete_details: null,
    instructions: 'instructions-canary',
    output,
    usage: { input_tokens: 11, output_tokens: 22, total_tokens: 33 },
    ...members,
  };
}

/** A finished call of the image tool. */
export function imageCall(result: unknown, members: Record<string, unknown> = {}): Record<string, unknown> {
  return { id: 'ig_1', type: 'image_generation_call', status: 'completed', result, ...members };
}

/** What the chat model says beside its image; nobody gets to read it. */
export const message = {
  id: 'msg_1',
  type: 'message',
  role: 'assistant',
  status: 'completed',
  content: [{ type: 'output_text', text: 'Here is your cat. body-canary', annotations: [] }],
};

export const pending = responseOf([], { status: 'in_progress' });

/** Azure accepts a response in the background, and responds with these to its polls. */
export function acceptResponse(azure: MockedAzure, ...polls: readonly Reply[]): void {
  azure.post(foundryBackground.paidPath, { headers: soon, body: responseOf([], { status: 'queued' }) });
  azure.get(responsePath, ...polls.map((poll) => ({ ...poll, headers: { ...soon, ...poll.headers } })));
}

export const emptyRequest: ImageRequest = { ...plainRequest, prompt: 'a prompt-canary in a cage' };

export type Started = {
  readonly attempt: Attempt;
  readonly anomalies: readonly Anomaly[];
  /** What the provider reported before it went on: `dispatch`, and the handle that it noted. */
  readonly journal: readonly string[];
  readonly events: Promise<AsyncIterable<ImageEvent>>;
};

/** Starts one call of a provider; its client is closed when the test ends. */
export function startCall(
  { create }: ProviderUnderTest,
  {
    request = {},
    signal = new AbortController().signal,
    retryUntil = Number.POSITIVE_INFINITY,
    dispatch = async () => {},
    onJournal = () => {},
    handle,
  }: {
    request?: Partial<ImageRequest>;
    signal?: AbortSignal;
    retryUntil?: number;
    dispatch?: () => Promise<void>;
    onJournal?: (entry: string) => void;
    /** Of the work that is resumed, instead of a new call. */
    handle?: UpstreamHandle;
  } = {},
): Started {
  const client = createUpstreamClient();
  onTestFinished(() => client.close());
  const attempt: Attempt = { sent: false };
  const anomalies: Anomaly[] = [];
  const recorder: ProviderCall['recorder'] = {
    anomaly: (kind) => anomalies.push(kind),
    imageConverted: () => {},
    attemptEnded: () => {},
    retryArrived: () => {},
    unknownRepeated: () => {},
    budgetUsed: () => {},
    jobRecovered: () => {},
    generationEnded: () => {},
  };
  const journal: string[] = [];
  const call: ProviderCall = {
    signal,
    retryUntil,
    attempt,
    recorder,
    async dispatch() {
      await dispatch();
      journal.push('dispatch');
      onJournal('dispatch');
    },
    async note(handle) {
      journal.push(handle);
      onJournal(handle);
    },
  };
  const provider = create(client);
  const events =
    handle === undefined
      ? provider.generate({ ...emptyRequest, ...request }, call)
      : (provider.resume?.(handle, call) ?? Promise.reject(new Error('it cannot resume')));
  // A test that looks at something else first must not fail for an unhandled rejection.
  events.catch(() => {});
  return { attempt, anomalies, journal, events };
}

/** All events; the pieces of an image are put together, because they may be cut anywhere. */
export async function collect(events: AsyncIterable<ImageEvent>): Promise<unknown[]> {
  const all: unknown[] = [];
  let base64: string | undefined;
  for await (const event of events) {
    if (event.type === 'bytes') {
      base64 = (base64 ?? '') + event.chunk.toString('latin1');
      continue;
    }
    if (base64 !== undefined) all.push({ type: 'bytes', base64 });
    base64 = undefined;
    all.push(event);
  }
  return all;
}

/** What a rejected promise was rejected with. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => expectRejection(),
    (error: unknown) => error,
  );
}

function expectRejection(): never {
  throw new Error('the promise was not rejected');
}
