import { describe, expect, test } from 'vitest';
import { agentTarget, asyncTarget, deploymentTarget, messagesOf, v1Target } from './example-models.ts';

const east = 'https://east.services.ai.azure.com';
const project = `${east}/api/projects/posters`;
const published = `${project}/agents/painter/endpoint/protocols/openai`;
const application = `${project}/applications/painter/protocols/openai`;
const deployment = { ...deploymentTarget, deployment: 'images' };
const chat = { ...agentTarget, agent: undefined, chatDeployment: 'chat' };
const withoutVersion = { ...deployment, apiVersion: undefined };

const baseURLMessages = (target: object, baseURL: string) =>
  messagesOf({ models: { poster: { ...target, baseURL } } }).filter((message) => message.includes('.baseURL:'));

describe('an address of Azure that cannot work for its provider is refused with the one that can', () => {
  test.each<[string, object, string, string]>([
    ['a v1 request', deployment, `${east}/openai/v1/images/generations`, east],
    ['a v1 address', deployment, `${east}/openai/v1`, east],
    ['a project', deployment, project, east],
    ['a project with its API', deployment, `${project}/openai/v1`, east],
    ['a request', deployment, `${east}/openai/deployments/images/images/edits`, `${east}/openai/deployments/images`],
    [
      'a chat request',
      deployment,
      `${east}/openai/deployments/images/chat/completions`,
      `${east}/openai/deployments/images`,
    ],
    ['a deployment without /openai', deployment, `${east}/deployments/images`, `${east}/openai/deployments/images`],
    ['any other path', deployment, `${east}/models`, east],
    ['a request', v1Target, `${east}/openai/v1/images/generations`, `${east}/openai/v1`],
    ['a request of the project', v1Target, `${project}/openai/v1/images/edits`, `${project}/openai/v1`],
    ['a project', v1Target, project, `${east}/openai/v1`],
    ['a /v1 without /openai', v1Target, `${east}/v1`, `${east}/openai/v1`],
    ['a deployment', v1Target, `${east}/openai/deployments/images`, `${east}/openai/v1`],
    ['a submit', asyncTarget, `${east}/openai/images/generations:submit`, east],
    ['a v1 address', asyncTarget, `${east}/openai/v1`, east],
    ['a part of a project', agentTarget, `${project}/deployments`, project],
    ['a published agent with its query', agentTarget, `${published}/responses?api-version=v1`, published],
    ['a published application with its query', agentTarget, `${application}?api-version=v1`, application],
    ['a deployment', chat, `${east}/openai/deployments/chat/chat/completions`, east],
    ['http', v1Target, 'http://east.openai.azure.com', 'https://east.openai.azure.com/openai/v1'],
  ])('%s', (_, target, baseURL, meant) => {
    const [message = '', ...others] = baseURLMessages(target, baseURL);
    expect([message.split(', did you mean ')[1], others]).toEqual([`\`${meant}\`?`, []]);
    // What is suggested is taken.
    expect(messagesOf({ models: { poster: { ...target, baseURL: meant } } })).toEqual([]);
  });

  test('with its query: the api-version is told, and nothing else of it', () => {
    const query = 'key=canary&api-version=2025-04-01-preview';
    const [message] = baseURLMessages(withoutVersion, `${east}/openai/deployments/images/images/generations?${query}`);
    expect(message).toMatch(/\/openai\/deployments\/images` with the `apiVersion` 2025-04-01-preview\?$/);
    expect(message).not.toContain('canary');
  });

  test('with its query of the v1 API: the api-version is told', () => {
    const [message] = baseURLMessages(v1Target, `${east}/openai/v1/images/generations?api-version=preview`);
    expect(message).toMatch(/`https:\/\/east\.services\.ai\.azure\.com\/openai\/v1` with the `apiVersion` preview\?$/);
  });

  test.each(['key=canary&api-version=canary', 'x-api-version=2025-04-01-preview', ''])(
    'with the query "%s": none is told',
    (query) => {
      const [message] = baseURLMessages(deployment, `${east}/openai?${query}`);
      expect(message).toMatch(/, did you mean `https:\/\/east\.services\.ai\.azure\.com`\?$/);
    },
  );
});

describe('the address of a front door', () => {
  const gate = 'https://gate.example.com/canary';

  test.each<[string, object, string, string]>([
    ['a request', deployment, `${gate}/openai/deployments/images/images/generations`, '…/deployments/{name}'],
    ['a v1 request', v1Target, `${gate}/openai/v1/images/generations`, '…/v1'],
    ['a part of a project', agentTarget, `${gate}/api/projects/posters/deployments`, '…/api/projects/{name}'],
    [
      'a published agent',
      agentTarget,
      `${gate}/api/projects/posters/agents/painter/endpoint/protocols/openai/responses?api-version=v1`,
      '…/protocols/openai',
    ],
  ])('that is %s: the end is told, but not the path, in which a key may stand', (_, target, baseURL, meant) => {
    const [message] = baseURLMessages(target, baseURL);
    expect(message).toContain(`, did you mean \`${meant}\`?`);
    expect(message).not.toContain('canary');
  });

  test.each<[object, string]>([
    [deployment, `${gate}/v1/account`],
    [deployment, `${gate}/openai/team`],
    [v1Target, `${gate}/v1/account/v1`],
    [asyncTarget, `${gate}/images`],
  ])('may have any other path: %j', (target, baseURL) => {
    expect(messagesOf({ models: { poster: { ...target, baseURL } } })).toEqual([]);
  });
});

test('an address whose user is named, or that is none, gets no suggestion', () => {
  for (const baseURL of ['https://canary@east.openai.azure.com/x', 'canary', 'https:east.openai.azure.com']) {
    expect(baseURLMessages(deployment, baseURL).join()).not.toMatch(/canary|user@|did you mean `.*@/);
  }
});
