import { expect, test } from 'vitest';
import { parseModels } from '../helpers/parse-models.ts';
import { blocksOf, readDocument } from './documents.ts';

test('the README has the curl of the quick start, word by word', () => {
  const curl =
    'curl http://localhost:8866/v1/images/generations -H "Content-Type: application/json" -H "Authorization: Bearer demo-key" -d \'{"model":"azure-image","prompt":"A cute cate","n":1,"size":"1024x1024"}\'';
  expect(readDocument('README.md').split('\n')).toContain(curl);
});

test('the models file in the README is valid', () => {
  const files = blocksOf('README.md').filter(({ language }) => language === 'jsonc');
  const variables = { AZURE_OPENAI_ENDPOINT: 'https://a.test', AZURE_OPENAI_API_KEY: 'key' };
  const models = files.map(({ text }) => parseModels(text, variables).models.map(({ name }) => name));
  expect(models).toEqual([['azure-image']]);
});
