import { expect, test } from 'vitest';
import { chooseModel, type ModelNames } from '../../../../src/http/surfaces/responses/response-model.ts';
import { createModelCatalog, type LogicalModel } from '../../../../src/targets/model-catalog.ts';

const model = (name: string) => ({ name }) as LogicalModel;
const aliases = new Map([['poster-alias', 'poster']]);
const catalog = createModelCatalog({ models: [model('poster'), model('photo')], aliases, defaultModel: undefined });

const none: ModelNames = { agent: undefined, deployment: undefined, tool: undefined, model: undefined };
const header = 'x-ms-oai-image-generation-deployment';

test.each<[what: string, names: Partial<ModelNames>, name: string | undefined, ignored: readonly string[]]>([
  ['no name', {}, undefined, []],
  ['the model', { model: 'poster' }, 'poster', []],
  ['the tool of a chat model', { model: 'gpt-5.5', tool: 'poster' }, 'poster', ['model']],
  ['the header of a chat model', { model: 'gpt-5.5', deployment: 'photo' }, 'photo', ['model']],
  ['the model where the tool names none of ours', { model: 'poster', tool: 'gpt-image-2' }, 'poster', ['tools.model']],
  [
    'the header before all others',
    { model: 'poster', tool: 'poster', deployment: 'photo' },
    'photo',
    ['tools.model', 'model'],
  ],
  ['an agent before the header', { agent: 'poster', deployment: 'photo' }, 'poster', [header]],
  ['an agent that is unknown', { agent: 'writer', deployment: 'photo' }, 'writer', [header]],
  ['only unknown names', { model: 'gpt-5.5', tool: 'gpt-image-2' }, 'gpt-image-2', ['model']],
  ['the same model by two names', { model: 'poster-alias', tool: 'poster' }, 'poster', []],
])('%s names the model', (_, names, name, ignored) => {
  expect(chooseModel({ ...none, ...names }, { catalog, models: undefined })).toEqual({ name, ignored });
});

test('a model that the key may not use is none of ours', () => {
  const known = { catalog, models: new Set(['poster']) };
  expect(chooseModel({ ...none, tool: 'photo', model: 'poster' }, known).name).toBe('poster');
});
