import { expect, test } from 'vitest';
import { describeForwarding } from '../../src/cli/check.ts';
import { parseModels } from '../helpers/parse-models.ts';

const resource = 'https://res.openai.azure.com';
const key = 'azure-key-canary';
const poster = { provider: 'azure-v1', model: 'gpt-image-2', deployment: 'img-east', baseURL: resource, apiKey: key };

function described(change: object): string {
  const responses = { target: { baseURL: resource, apiKey: key }, ...change };
  const config = parseModels(JSON.stringify({ models: { poster }, responses }), {});
  return config.responses ? describeForwarding(config.responses) : '';
}

test('check shows where requests are forwarded, and which deployment draws', () => {
  const address = 'Responses API: forwarded to https://res.openai.azure.com/openai/v1/responses';
  expect(described({ imageModel: 'poster' })).toBe(
    `${address}\n  deployment of the image tool: img-east (model poster)\n`,
  );
  expect(described({})).toBe(`${address}\n  deployment of the image tool: none (no \`imageModel\`)\n`);
});
