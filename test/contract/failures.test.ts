import { describe, expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { toolParameter } from '../../src/providers/foundry-agent/response-body.ts';
import { type AzureError, capturedErrors, otherErrors } from '../fixtures/azure-errors.ts';
import { tinyPng } from '../fixtures/images.ts';
import { type Called, callGateway } from '../helpers/call-gateway.ts';
import { gatewayKey, oneTarget, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { azureOrigin, mockAzure, type Reply } from './mock-azure.ts';
import {
  allProviders,
  azureAsyncFlow,
  azureDeployment,
  deployment,
  foundryProviders,
  rejection,
  startCall,
  upstreamKey,
} from './providers.ts';

/** What Azure and the proxies before it add to every response; nothing of it may reach a caller. */
const azureHeaders = {
  'apim-request-id': 'apim-canary',
  'x-ms-request-id': 'ms-request-canary',
  'x-ms-client-request-id': 'ms-client-canary',
  'x-ms-region': 'region-canary',
  'x-ms-deployment-name': deployment,
  'x-ms-rai-invoked': 'rai-canary',
  'x-ms-error-code': 'error-code-canary',
  'x-request-id': 'upstream-request-canary',
  'x-ratelimit-remaining-requests': 'ratelimit-canary',
  'azureml-model-session': 'session-canary',
  'openai-model': 'model-canary',
  'set-cookie': 'cookie-canary=1',
  server: 'server-canary',
};

const named = (errors: readonly AzureError[]) =>
  errors.map((error) => [`${error.status}: ${error.name}`, error] as const);
const captured = named(capturedErrors);
const all = named([...capturedErrors, ...otherErrors]);
const prompt = 'a prompt-canary in a cage';

/** Parameters of the requests in these tests: others are not reported to callers. */
const sent: (string | undefined)[] = ['prompt', 'model', 'image'];

function replyOf({ status, headers, body, isFramed = true }: AzureError): Reply {
  return { status, headers: { ...azureHeaders, ...headers }, body, isFramed };
}

describe.each(allProviders)('$name, called for an image, gets', (provider) => {
  const isFoundry = foundryProviders.includes(provider);

  test.each(all)('%s: rejects with its kind and outcome before any event', async (_name, error) => {
    const azure = mockAzure();
    azure.post(provider.paidPath, replyOf(error));
    const { attempt, events } = startCall(provider);
    const failure = await rejection(events);
    expect(failure).toBeInstanceOf(GatewayError);
    const { kind, outcome, param, retryAfterMs } = failure as GatewayError;
    expect({ kind, outcome, retryAfterMs }).toEqual({
      kind: error.kind ?? expect.stringMatching(/^upstream_refused_/),
      outcome: error.outcome,
      retryAfterMs: error.reported.retryAfterMs,
    });
    expect(param).toBe(isFoundry ? error.reported.param && toolParameter(error.reported.param) : error.reported.param);
    expect(attempt).toEqual({ sent: true, status: error.status, upstreamRequestId: 'apim-canary' });
    expect(azure.requests).toHaveLength(1);
  });
});

describe('reported to a caller', () => {
  test.each(all)('%s: status, type, code and param are as documented, and nothing leaks', async (_name, error) => {
    const azure = mockAzure();
    azure.post(azureDeployment.paidPath, replyOf(error));
    const gateway = await startGateway(oneTarget(azureDeployment.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt });
    const { reported } = error;
    expect(called.status).toBe(reported.status);
    expect(called.headers.get('content-type')).toMatch(/^application\/json/);
    expect(called.json()).toEqual({
      error: {
        message: expect.stringMatching(/\S.{20,}/),
        type: reported.type,
        code: reported.code,
        param: sent.includes(reported.param) ? reported.param : null,
        ...(reported.moderationDetails && { moderation_details: reported.moderationDetails }),
      },
    });
    expectNothingLeaks(called, gateway);
  });

  test.each(all)('%s: whether and when to retry', async (_name, error) => {
    mockAzure().post(azureDeployment.paidPath, replyOf(error));
    const gateway = await startGateway(oneTarget(azureDeployment.target));
    const { headers } = await callGateway(gateway.url, { model: 'image', prompt });
    const { retryAfterMs, shouldRetry } = error.reported;
    expect({
      shouldRetry: headers.get('x-should-retry') ?? undefined,
      retryAfterMs: headers.get('retry-after-ms') ?? undefined,
      retryAfter: headers.get('retry-after') ?? undefined,
    }).toEqual({
      shouldRetry,
      retryAfterMs: retryAfterMs?.toString(),
      retryAfter: retryAfterMs === undefined ? undefined : String(Math.ceil(retryAfterMs / 1000)),
    });
  });

  test.each(captured)('%s, at the submit of azure-async: the same, and nothing leaks', async (_name, error) => {
    mockAzure().post(azureAsyncFlow.paidPath, replyOf(error));
    const gateway = await startGateway(oneTarget(azureAsyncFlow.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt });
    const { type, code, param } = called.json().error;
    expect([called.status, type, code, param]).toEqual([
      error.reported.status,
      error.reported.type,
      error.reported.code,
      sent.includes(error.reported.param) ? error.reported.param : null,
    ]);
    expectNothingLeaks(called, gateway);
  });

  test('an image that was made: base64, prompt and keys are not in the log', async () => {
    mockAzure().post(azureDeployment.paidPath, { headers: azureHeaders, body: { data: [{ b64_json: tinyPng }] } });
    const gateway = await startGateway(oneTarget(azureDeployment.target));
    const called = await callGateway(gateway.url, { model: 'image', prompt });
    expect(called.json().data).toEqual([{ b64_json: tinyPng }]);
    expectNothingLeaks(called, gateway);
    expect(gateway.log.findLast(({ msg }) => msg === 'generation')).toMatchObject({
      upstreamRequestId: 'apim-canary',
      images: 1,
    });
  });
});

/** Every secret and every inner fact of these tests holds the word canary, the gateway's key included. */
function expectNothingLeaks({ text, headers }: Called, gateway: StartedGateway): void {
  const response = `${JSON.stringify([...headers])}\n${text}`;
  expect(response).not.toMatch(/canary/i);
  expect(response).not.toMatch(/x-ms-|apim|severity|"filtered"|jailbreak|ResponsibleAI|support ticket/i);
  for (const secret of [new URL(azureOrigin).host, deployment, upstreamKey, gatewayKey]) {
    expect(response).not.toContain(secret);
  }
  const log = gateway.logText();
  expect(log).not.toBe('');
  for (const secret of [prompt, 'prompt-canary', upstreamKey, gatewayKey, tinyPng, tinyPng.slice(0, 24)]) {
    expect(log).not.toContain(secret);
  }
  expect(log).not.toMatch(/proxy-canary|revised-canary/);
}
