import { describe, expect, test } from 'vitest';
import { asyncBaseURL } from '../../src/providers/azure-async/azure-async.ts';
import { deploymentBaseURL, v1BaseURL } from '../../src/providers/azure-images/images-descriptors.ts';
import { agentBaseURL } from '../../src/providers/foundry-agent/foundry-target.ts';

describe('asyncBaseURL', () => {
  test.each([
    ['https://east.example.com', 'https://east.example.com'],
    ['https://east.example.com/openai', 'https://east.example.com'],
    ['https://gate.example.com/images', 'https://gate.example.com/images'],
    ['https://gate.example.com/images/openai', 'https://gate.example.com/images'],
  ])('%s becomes %s', (url, expected) => {
    expect(asyncBaseURL(url)).toEqual({ ok: expected });
  });

  test.each([
    'https://a.example/openai/v1',
    'https://a.example/openai/deployments/x',
    'https://a.example/openai/images/generations:submit',
  ])('%s is refused', (url) => {
    expect(asyncBaseURL(url)).toEqual({ problem: 'must be the resource itself: azure-async adds the path /openai/…' });
  });
});

describe('v1BaseURL', () => {
  test.each([
    ['https://east.example.com', 'https://east.example.com/openai/v1'],
    ['https://east.example.com/openai/v1', 'https://east.example.com/openai/v1'],
    ['https://gate.example.com/images/v1', 'https://gate.example.com/images/v1'],
  ])('%s becomes %s', (url, expected) => {
    expect(v1BaseURL(url)).toEqual({ ok: expected });
  });

  test.each(['https://a.example/openai', 'https://a.example/openai/v12', 'https://a.example/openai/deployments/x'])(
    '%s is refused',
    (url) => {
      const problem = 'must be the resource itself or end in /v1, e.g. https://my-resource.openai.azure.com/openai/v1';
      expect(v1BaseURL(url)).toEqual({ problem });
    },
  );
});

describe('deploymentBaseURL', () => {
  const images = { baseURL: 'https://a.example/openai/deployments/images', deployment: 'images' };

  test.each([
    ['in the URL', images.baseURL, undefined],
    ['in the URL and the key alike', images.baseURL, 'images'],
    ['in the key, below the resource', 'https://a.example', 'images'],
    ['in the key, below /openai', 'https://a.example/openai', 'images'],
    ['in the key, below /deployments', 'https://a.example/openai/deployments', 'images'],
  ])('a deployment named %s is found', (_, url, deployment) => {
    expect(deploymentBaseURL(url, deployment)).toEqual({ ok: images });
  });

  test('a path prefix stays in front', () => {
    expect(deploymentBaseURL('https://gate.example/images', 'x')).toEqual({
      ok: { baseURL: 'https://gate.example/images/openai/deployments/x', deployment: 'x' },
    });
  });

  test('a name with special characters is encoded once', () => {
    const expected = {
      ok: { baseURL: 'https://a.example/openai/deployments/my%20image%2F2', deployment: 'my image/2' },
    };
    expect(deploymentBaseURL('https://a.example', 'my image/2')).toEqual(expected);
    expect(deploymentBaseURL('https://a.example/openai/deployments/my%20image%2F2', 'my image/2')).toEqual(expected);
  });

  test.each([
    [
      'no deployment anywhere',
      'https://a.example',
      undefined,
      'names no deployment: end it with /deployments/{name}, or add the key `deployment`',
    ],
    [
      'two different deployments',
      images.baseURL,
      'other',
      'names another deployment than the key `deployment`; one of the two is enough',
    ],
    [
      'a whole request URL',
      `${images.baseURL}/images/generations`,
      undefined,
      'must end with /deployments/{name}, nothing may follow the name',
    ],
    [
      'a v1 address',
      'https://a.example/openai/v1',
      'images',
      'must not end in /v1: that address is for the provider azure-v1',
    ],
    [
      'a request to v1',
      'https://a.example/openai/v1/images/generations',
      'images',
      'must not end in /v1: that address is for the provider azure-v1',
    ],
    [
      'a request below a front door',
      'https://gate.example/team/images/edits',
      'images',
      'must not end like a request: the gateway adds what follows the deployment',
    ],
    [
      'a project',
      'https://gate.example/api/projects/posters',
      'images',
      'must not end like a request: the gateway adds what follows the deployment',
    ],
    ['a broken escape', 'https://a.example/deployments/%zz', undefined, 'holds an unusable deployment name'],
    ['a hidden character', 'https://a.example/deployments/a%00', undefined, 'holds an unusable deployment name'],
  ])('%s is refused', (_, url, deployment, problem) => {
    expect(deploymentBaseURL(url, deployment)).toEqual({ problem });
  });
});

describe('agentBaseURL', () => {
  const project = 'https://east.services.ai.azure.com/api/projects/posters';

  test.each([
    [project, true, project],
    [`${project}/openai`, true, project],
    [`${project}/openai/v1`, true, project],
    [`https://gate.example.com/team/api/projects/p`, true, 'https://gate.example.com/team/api/projects/p'],
    [project, false, project],
    ['https://east.openai.azure.com', false, 'https://east.openai.azure.com'],
    ['https://east.openai.azure.com/openai/v1', false, 'https://east.openai.azure.com'],
    ['https://gate.example.com/images/openai/v1', false, 'https://gate.example.com/images'],
    [`${project}/openai/v1/responses`, true, project],
    [`${project}/openai/responses`, false, project],
  ])('%s, with an agent: %s, becomes %s', (url, hasAgent, expected) => {
    expect(agentBaseURL(url, hasAgent)).toEqual({ ok: expected });
  });

  const notProject =
    'must be the project of the agent, e.g. https://my-resource.services.ai.azure.com/api/projects/my-project, or its own address, which ends in /protocols/openai';
  const notResource =
    'must be the resource itself, a project such as https://my-resource.services.ai.azure.com/api/projects/my-project, or end in /openai/v1';
  test.each([
    ['https://east.services.ai.azure.com', true, notProject],
    ['https://east.services.ai.azure.com/api/projects', true, notProject],
    [`${project}/agents/painter`, true, notProject],
    ['https://east.openai.azure.com/openai/deployments/images', true, notProject],
    ['https://east.openai.azure.com/openai/deployments/images', false, notResource],
    ['https://gate.example.com/images', false, notResource],
  ])('%s, with an agent: %s, is refused', (url, hasAgent, problem) => {
    expect(agentBaseURL(url, hasAgent)).toEqual({ problem });
  });
});
