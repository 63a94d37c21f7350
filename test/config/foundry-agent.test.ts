// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { agentTarget, asyncTarget, deploymentTarget, entra, messagesOf, parse, v1Target } from './example-models.ts';

const { apiKey: _apiKey, ...keyless } = agentTarget;
const { agent: _agent, ...agentless } = agentTarget;
const chatTarget = { ...agentless, chatDeployment: 'chat' };

function targetOf(target: unknown, variables = {}) {
  return parse({ models: { poster: target } }, variables).models[0]?.targets[0];
}

function targetMessages(target: unknown): string[] {
  const short = messagesOf({ models: { poster: target } });
  const long = messagesOf({ models: { poster: { targets: [target] } } });
  // Both forms must say the same about a target.
  expect(long.map((message) => message.replace('models.poster.targets[0]', 'models.poster'))).toEqual(short);
  return short.map((message) => message.replace('models.poster.', ''));
}

describe('a target of foundry-agent', () => {
  test('has an agent, and the newest version of it', () => {
    expect(targetOf(agentTarget)).toEqual({
      name: '1',
      priority: 0,
      weight: 1,
      provider: 'foundry-agent',
      model: 'gpt-image-2',
      baseURL: 'https://east.example.com/api/projects/posters',
      agent: 'painter',
      imageDeployment: 'images',
      credential: { apiKey: expect.anything() },
      downloadOrigins: [],
      upstreamStream: 'never',
      capabilities: {},
    });
  });

  test('has everything that it says', () => {
    const says = {
      agentVersion: '7',
      apiVersion: 'v1',
      background: true,
      maxInlineImageChars: 65_520,
    };
    expect(targetOf({ ...agentTarget, ...says })).toMatchObject({ agent: 'painter', ...says });
  });

  test('has a chat deployment in the place of an agent, and then needs no project', () => {
    for (const baseURL of ['https://east.example.com', 'https://east.example.com/openai/v1']) {
      expect(targetOf({ ...chatTarget, baseURL })).toMatchObject({
        baseURL: 'https://east.example.com',
        chatDeployment: 'chat',
      });
    }
  });

  describe.each([
    'https://east.example.com/api/projects/posters/agents/painter/endpoint/protocols/openai',
    'https://east.example.com/api/projects/posters/applications/painter/protocols/openai',
  ])('at %s, the address of a published agent,', (baseURL) => {
    const published = { ...agentless, baseURL };

    test('needs no agent', () => {
      for (const address of [baseURL, `${baseURL}/`, `${baseURL}/responses`]) {
        expect(targetOf({ ...published, baseURL: address })).toMatchObject({ baseURL });
      }
    });

    test('may name one all the same, and a version of it, but no chat deployment', () => {
      const agent = { agent: 'painter', agentVersion: '3' };
      expect(targetOf({ ...published, ...agent })).toMatchObject({ baseURL, ...agent });
      expect(targetMessages({ ...published, agentVersion: '3' })).toEqual([
        'agentVersion: means nothing without `agent`',
      ]);
      expect(targetMessages({ ...published, chatDeployment: 'chat' })).toEqual([
        'chatDeployment: excludes the address of a published agent: give that of the project or the resource',
      ]);
    });
  });

  test('has the timeout of synchronous targets', () => {
    expect(parse({ models: { poster: { ...agentTarget, background: true } } }).models[0]?.timeoutMs).toBe(590_000);
  });

  test('may stream when it is said so, and not in the background', () => {
    const capabilities = { streams: true };
    expect(targetOf({ ...agentTarget, capabilities })).toMatchObject({ capabilities });
    expect(targetMessages({ ...agentTarget, capabilities, background: false })).toEqual([]);
    expect(targetMessages({ ...agentTarget, capabilities: { streams: false }, background: true })).toEqual([]);
    expect(targetMessages({ ...agentTarget, capabilities, background: true })).toEqual([
      'background: excludes `capabilities.streams`: a job that is polled cannot stream',
    ]);
  });

  test('streams from upstream only where it may stream', () => {
    const always = { ...agentTarget, upstreamStream: 'always' };
    expect(targetMessages({ ...always, capabilities: { streams: true } })).toEqual([]);
    expect(targetMessages(always)).toEqual([
      'upstreamStream: needs `capabilities.streams`: this provider streams only with that',
    ]);
  });

  test.each<[string, object, readonly string[]]>([
    ['neither agent nor chat deployment', agentless, ['agent: is required, unless there is `chatDeployment`']],
    [
      'both of them',
      { ...agentTarget, chatDeployment: 'chat' },
      ['chatDeployment: excludes `agent`: give one of the two'],
    ],
    ['a version of no agent', { ...chatTarget, agentVersion: '1' }, ['agentVersion: means nothing without `agent`']],
    ['no image deployment', { ...agentTarget, imageDeployment: undefined }, ['imageDeployment: is required']],
    [
      'an image deployment that no header can hold',
      { ...agentTarget, imageDeployment: 'Größe' },
      ['imageDeployment: must hold ASCII characters only: it stands in a header'],
    ],
    [
      'an image deployment with a line break',
      { ...agentTarget, imageDeployment: 'a\r\nb' },
      ['imageDeployment: must be 1 to 128 printable characters without spaces at either end'],
    ],
    [
      'the agent key of earlier versions',
      { ...agentTarget, agentKey: 'agent' },
      ['agentKey: unknown key `agentKey`: Azure accepts only `agent_reference` now: remove this key'],
    ],
    ['a version that is a number', { ...agentTarget, agentVersion: 7 }, ['agentVersion: must be a string']],
    [
      'an empty agent',
      { ...agentTarget, agent: '' },
      ['agent: must be 1 to 128 printable characters without spaces at either end'],
    ],
    [
      'a chat deployment that is a path step',
      { ...chatTarget, chatDeployment: '..' },
      ['chatDeployment: must not be `.` or `..`'],
    ],
    ['a background in words', { ...agentTarget, background: 'yes' }, ['background: must be true or false']],
    [
      'a data URL that is too short for any image',
      { ...agentTarget, maxInlineImageChars: 999 },
      ['maxInlineImageChars: must be at least 1000'],
    ],
    ['a length in words', { ...agentTarget, maxInlineImageChars: '65520' }, ['maxInlineImageChars: must be a number']],
    [
      'a deployment, which the other keys name',
      { ...agentTarget, deployment: 'images' },
      ['deployment: unknown key `deployment`'],
    ],
    [
      'no project for its agent',
      { ...agentTarget, baseURL: 'https://east.example.com' },
      [
        'baseURL: must be the project of the agent, e.g. https://my-resource.services.ai.azure.com/api/projects/my-project, or its own address, which ends in /protocols/openai',
      ],
    ],
    [
      'an address of a deployment',
      { ...agentTarget, baseURL: 'https://east.example.com/openai/deployments/images' },
      [
        'baseURL: must be the project of the agent, e.g. https://my-resource.services.ai.azure.com/api/projects/my-project, or its own address, which ends in /protocols/openai',
      ],
    ],
    [
      'an api-version of blanks',
      { ...agentTarget, apiVersion: ' ' },
      ['apiVersion: must be an api-version such as 2025-04-01-preview'],
    ],
  ])('with %s is refused', (_name, target, messages) => {
    expect(targetMessages(target)).toEqual(messages);
  });

  test.each(['agent', 'agentVersion', 'chatDeployment', 'imageDeployment', 'background', 'maxInlineImageChars'])(
    '%s is a key of no other provider, and belongs into a target',
    (key) => {
      for (const target of [v1Target, deploymentTarget, asyncTarget]) {
        expect(targetMessages({ ...target, [key]: 'x' })).toEqual([
          expect.stringMatching(`^${key}: unknown key \`${key}\``),
        ]);
      }
      expect(messagesOf({ models: { poster: { [key]: 'x', targets: [agentTarget] } } })).toEqual([
        `models.poster.${key}: unknown key \`${key}\`: in a model with \`targets\` it belongs in each target`,
      ]);
    },
  );

  test('with an unknown provider has its other mistakes reported, too', () => {
    expect(targetMessages({ ...agentTarget, provider: 'foundry', background: 'yes' })).toEqual([
      expect.stringMatching(/^provider: unknown provider: .*foundry-agent/),
      'background: must be true or false',
    ]);
  });
});

describe('a credential', () => {
  const targets = [agentTarget, v1Target, deploymentTarget, asyncTarget].map(
    (target) => [target.provider, target] as const,
  );

  test.each(targets)('of %s may be tokens for a scope in the place of a key', (_provider, { apiKey: _, ...target }) => {
    for (const scope of [
      'https://ai.azure.com/.default',
      'https://cognitiveservices.azure.com/.default',
      'api://1-2/.default',
    ]) {
      expect(targetOf({ ...target, auth: { entra: { scope } } })?.credential).toEqual({ scope });
    }
  });

  test.each(targets)('of %s is one of the two', (_provider, { apiKey, ...target }) => {
    expect(targetMessages(target)).toEqual(['apiKey: is required, unless there is `auth`']);
    expect(targetMessages({ ...target, apiKey, auth: entra })).toEqual([
      'auth: excludes `apiKey`: give one of the two',
    ]);
  });

  const badScope = 'auth.entra.scope: must be a scope such as https://ai.azure.com/.default';
  test.each<[unknown, string]>([
    [{}, 'auth.entra: is required'],
    [{ entra: {} }, 'auth.entra.scope: is required'],
    [{ entra: { scope: '' } }, badScope],
    [{ entra: { scope: 'https://ai.azure.com' } }, badScope],
    [{ entra: { scope: 'https://ai.azure.com/.default offline_access' } }, badScope],
    [{ entra: { scope: ' https://ai.azure.com/.default' } }, badScope],
    [{ entra: { scope: 7 } }, 'auth.entra.scope: must be a string'],
    [{ entra: entra.entra.scope }, 'auth.entra: must be an object'],
    [
      { entra: { ...entra.entra, clientSecret: 'secret-canary' } },
      'auth.entra.clientSecret: unknown key `clientSecret`',
    ],
    [{ ...entra, apiKey: 'secret-canary' }, 'auth.apiKey: unknown key `apiKey`'],
    ['entra', 'auth: must be an object'],
    [null, 'auth: must be an object'],
  ])('%j is refused', (auth, message) => {
    expect(targetMessages({ ...keyless, auth })).toEqual([message]);
  });

  test('in a variable that is not set is one problem, and not that of a missing key', () => {
    const scope = '${SCOPE}';
    expect(messagesOf({ models: { poster: { ...keyless, auth: { entra: { scope } } } } })).toEqual([
      'models.poster.auth.entra.scope: the environment variable SCOPE is unset or empty',
    ]);
    const variables = { SCOPE: entra.entra.scope };
    expect(targetOf({ ...keyless, auth: { entra: { scope } } }, variables)?.credential).toEqual({
      scope: variables.SCOPE,
    });
  });

  test('that is a key is shown nowhere', () => {
    expect(inspect(targetOf(agentTarget), { depth: 9 })).not.toContain('literal-key');
    expect(JSON.stringify(targetOf(agentTarget))).not.toContain('literal-key');
  });
});
