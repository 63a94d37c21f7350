import { expect, test } from 'vitest';
import { startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { azureKey, sendJson, startHostileAzure, startStranger } from './hostile-azure.ts';

// Whoever sets a variable of the process does not get to see its calls.

test.each([
  ['the usual names', {}],
  ['and Node asked to follow them', { NODE_USE_ENV_PROXY: '1' }],
])('proxies in the environment, by %s, are not connected to', async (_, more) => {
  const [azure, proxy] = await Promise.all([startHostileAzure(), startStranger()]);
  azure.answer = (_request, response) => sendJson(response, { created: 1, data: [{ b64_json: tinyPng }] });
  const address = `http://127.0.0.1:${proxy.port}`;
  const names = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'GLOBAL_AGENT_HTTP_PROXY', 'npm_config_proxy'];
  const env = Object.fromEntries(names.flatMap((name) => [name, name.toLowerCase()]).map((name) => [name, address]));
  const models = JSON.parse(JSON.stringify(modelsFile(azure.origin)).replaceAll('simulator-key', azureKey));
  const program = await startProgram({ models, env: { ...env, NO_PROXY: '', ...more } });
  const url = await program.listening();
  const answer = await callGateway(url, { prompt: 'a canary' }, { headers: { authorization: 'Bearer program-key' } });
  expect(answer.status).toBe(200);
  expect(azure.asked).toHaveLength(1);
  expect(proxy.connections).toBe(0);
});
