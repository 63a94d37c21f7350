// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the syntax of the models file is meant
import { inspect } from 'node:util';
import { describe, expect, test } from 'vitest';
import { needsTokens } from '../../src/config/models-config.ts';
import { agentTarget, asyncTarget, deploymentTarget, entra, messagesOf, parse, v1Target } from './example-models.ts';

const target = { baseURL: 'https://res.openai.azure.com/openai/v1', apiKey: 'literal-key' };
const poster = { ...v1Target, deployment: 'img-east' };

const fileWith = (responses: unknown, models: object = { poster }, file: object = {}) => ({
  ...file,
  models,
  responses,
});
const read = (responses: unknown, models?: object, file?: object) => parse(fileWith(responses, models, file)).responses;
const messages = (responses: unknown, models?: object, file?: object) => messagesOf(fileWith(responses, models, file));

describe('responses of a models file', () => {
  test('are off by default', () => {
    expect(parse({ models: { poster } }).responses).toBeUndefined();
  });

  test.each([
    'https://res.openai.azure.com',
    'https://res.openai.azure.com/',
    'https://res.openai.azure.com/openai/v1',
    'https://res.openai.azure.com/openai/v1/',
  ])('take the resource %s, with the path of the v1 API or without', (baseURL) => {
    expect(read({ target: { ...target, baseURL } })?.target.baseURL).toBe('https://res.openai.azure.com/openai/v1');
  });

  test('have a key that nothing prints, and are frozen', () => {
    const responses = read({ target: { ...target, headers: { 'Front-Door': 'header-canary' } } });
    const credential = responses?.target.credential;
    expect(credential && 'apiKey' in credential && credential.apiKey.expose()).toBe('literal-key');
    expect(inspect(responses, { depth: 9 }) + JSON.stringify(responses)).not.toMatch(/literal-key|header-canary/);
    expect(() => Object.assign(responses?.target ?? {}, { baseURL: '' })).toThrow(TypeError);
  });

  test('may show tokens, which the process then needs', () => {
    const config = parse(fileWith({ target: { baseURL: target.baseURL, auth: entra } }));
    expect(config.responses?.target.credential).toEqual({ scope: 'https://ai.azure.com/.default' });
    expect([needsTokens(config), needsTokens(parse(fileWith({ target })))]).toEqual([true, false]);
  });

  test.each([
    ['a model', 'poster', { poster }, {}],
    ['an alias', 'images', { poster }, { aliases: { images: 'poster' } }],
    ['a model with other targets before', 'poster', { poster: { targets: [agentTarget, poster] } }, {}],
    [
      'a model of deployment addressing',
      'poster',
      {
        poster: { ...deploymentTarget, baseURL: 'https://east.example.com/openai/deployments/img-east' },
      },
      {},
    ],
  ])('find the deployment of %s', (_, imageModel, models, file) => {
    expect(read({ target, imageModel }, models, file)?.image).toEqual({ model: 'poster', deployment: 'img-east' });
  });

  test('name no deployment without an image model', () => {
    expect(read({ target })).not.toHaveProperty('image');
  });

  test('warn of a secret in the file', () => {
    const headers = { 'x-front-door-key': 'literal' };
    const { warnings } = parse(
      fileWith({ target: { ...target, headers } }, { poster: { ...poster, apiKey: '${KEY}' } }),
      {
        KEY: 'key',
      },
    );
    expect(warnings).toEqual([
      expect.stringContaining('responses.target.apiKey'),
      expect.stringContaining('responses.target.headers.x-front-door-key'),
    ]);
  });
});

const noV1 =
  'must be the resource itself or end in /v1, e.g. https://my-resource.openai.azure.com/openai/v1, did you mean `https://res.openai.azure.com/openai/v1`?';

describe('responses are refused with', () => {
  test.each<[string, unknown, string[]]>([
    ['no target', {}, ['responses.target: is required']],
    ['something else than an object', 'https://res.openai.azure.com', ['responses: must be an object']],
    [
      'an unknown key',
      { target, imageModell: 'poster' },
      ['responses.imageModell: unknown key `imageModell`, did you mean `imageModel`?'],
    ],
    [
      'an unknown key of the target',
      { target: { ...target, provider: 'azure-v1' } },
      ['responses.target.provider: unknown key `provider`'],
    ],
    ['no address', { target: { apiKey: 'key' } }, ['responses.target.baseURL: is required']],
    [
      'plain http',
      { target: { ...target, baseURL: 'http://res.openai.azure.com' } },
      [expect.stringContaining('must begin with https:') as unknown as string],
    ],
    [
      'the address of a request',
      { target: { ...target, baseURL: `${target.baseURL}/responses` } },
      [`responses.target.baseURL: ${noV1}`],
    ],
    [
      'the address of a deployment',
      { target: { ...target, baseURL: 'https://res.openai.azure.com/openai/deployments/a' } },
      [
        'responses.target.baseURL: must be the resource itself or end in /v1, e.g. https://my-resource.openai.azure.com/openai/v1, did you mean `https://res.openai.azure.com/openai/v1`?',
      ],
    ],
    [
      'no credential',
      { target: { baseURL: target.baseURL } },
      ['responses.target.apiKey: is required, unless there is `auth`'],
    ],
    [
      'two credentials',
      { target: { ...target, auth: entra } },
      ['responses.target.auth: excludes `apiKey`: give one of the two'],
    ],
    [
      'an identity that is none',
      { target: { baseURL: target.baseURL, auth: 'me' } },
      ['responses.target.auth: must be an object'],
    ],
    [
      'a header that the gateway sets',
      { target: { ...target, headers: { 'x-ms-oai-image-generation-deployment': 'a' } } },
      ['responses.target.headers.x-ms-oai-image-generation-deployment: the gateway sets this header itself'],
    ],
    [
      'an unknown image model',
      { target, imageModel: 'postr' },
      ['responses.imageModel: no model or alias has this name, did you mean `poster`?'],
    ],
  ])('%s', (_, responses, expected) => {
    expect(messages(responses)).toEqual(expected);
  });

  test.each([asyncTarget, agentTarget])('an image model that has no deployment in a resource: %j', (only) => {
    expect(messages({ target, imageModel: 'poster' }, { poster: only })).toEqual([
      'responses.imageModel: this model has no target with the provider azure-v1 or azure-deployment, so it names no deployment',
    ]);
  });

  test('a deployment whose name no header can hold', () => {
    expect(messages({ target, imageModel: 'poster' }, { poster: { ...poster, deployment: 'plakät' } })).toEqual([
      'responses.imageModel: the deployment of this model must have an ASCII name: it stands in a header',
    ]);
  });

  test('all mistakes at once, beside those of models', () => {
    const found = messages(
      { target: { baseURL: 'nowhere' }, imageModel: 'poste' },
      { poster: { ...poster, model: 5 } },
    );
    expect(found.map((message) => message.split(':')[0]).sort()).toEqual([
      'models.poster.model',
      'responses.imageModel',
      'responses.target.apiKey',
      'responses.target.baseURL',
    ]);
  });
});
