import { describe, expect, onTestFinished, test } from 'vitest';
import { type Simulator, startSimulator } from '../../simulator/start-simulator.ts';
import { examine } from '../../src/cli/doctor.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { serveHttp } from '../helpers/loopback-server.ts';
import { parseModels } from '../helpers/parse-models.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { everyProvider, providers, sendJson, soon, startHostileAzure } from '../security/hostile-azure.ts';

const frontDoorKey = 'front-door-key-canary';

/** One model for each way to Azure, behind a front door that wants a key. */
function behindFrontDoor(origin: string): object {
  const file = everyProvider(origin) as { models: Record<string, object> };
  const models = Object.entries(file.models).map(([name, model]) => [
    name,
    {
      ...model,
      ...('deployment' in model && { deployment: 'gpt-image-2' }),
      ...('imageDeployment' in model && { imageDeployment: 'gpt-image-1' }),
      headers: { 'Ocp-Apim-Subscription-Key': frontDoorKey },
    },
  ]);
  return { ...file, models: Object.fromEntries(models) };
}

describe('further headers of a target', () => {
  test.each(providers)('go with every call of %s to its origin', async (model) => {
    const simulator = await simulate();
    const gateway = await startGateway(behindFrontDoor(simulator.origin));
    expect((await callGateway(gateway.url, { model, prompt: 'a cat' })).status).toBe(200);
    const { requests } = simulator.ledger;
    expect(requests.length).toBeGreaterThan(0);
    for (const { headers } of requests) expect(headers['ocp-apim-subscription-key']).toBe(frontDoorKey);
  });

  test('go with polls, and not with downloads of images, not even from the same origin', async () => {
    const azure = await startHostileAzure();
    const gateway = await startGateway(behindFrontDoor(azure.origin));
    azure.respond = (request, response) => {
      if (request.url?.endsWith('.png')) response.writeHead(200).end(Buffer.from(tinyPng, 'base64'));
      else if (request.method === 'GET')
        sendJson(response, { status: 'succeeded', result: { data: [{ url: `${azure.origin}/a.png` }] } });
      else
        response
          .writeHead(202, { 'operation-location': `${azure.origin}/openai/operations/images/1`, ...soon })
          .end('{"id":"1","status":"notRunning"}');
    };
    const body = { model: 'async', prompt: 'a dog', response_format: 'b64_json' };
    expect((await callGateway(gateway.url, body)).status).toBe(200);
    const shown = azure.requests.map(({ method, path, headers }) => [
      method,
      path.endsWith('.png'),
      headers['ocp-apim-subscription-key'],
    ]);
    expect(shown).toEqual([
      ['POST', false, frontDoorKey],
      ['GET', false, frontDoorKey],
      ['GET', true, undefined],
    ]);
  });

  test('go with the calls of the doctor', async () => {
    const shown: unknown[] = [];
    const port = await serveHttp((request, response) => {
      shown.push(request.headers['ocp-apim-subscription-key']);
      sendJson(response, { data: [] });
    });
    const models = parseModels(JSON.stringify(behindFrontDoor(`http://127.0.0.1:${port}`)), {});
    const reports = await examine(models, { stepMs: 2_000 });
    expect(reports).toHaveLength(providers.length);
    expect(shown.length).toBeGreaterThan(0);
    expect(new Set(shown)).toEqual(new Set([frontDoorKey]));
  });
});

async function simulate(): Promise<Simulator> {
  const simulator = await startSimulator({ operationMs: 5, partialMs: 1, apiKey: 'azure-key-canary' });
  onTestFinished(() => simulator.close());
  return simulator;
}
