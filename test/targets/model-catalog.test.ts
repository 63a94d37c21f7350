import { expect, test } from 'vitest';
import { GatewayError } from '../../src/domain/gateway-error.ts';
import { createModelCatalog, type LogicalModel } from '../../src/targets/model-catalog.ts';

const names = ['gpt-image-2', 'gpt-image-1.5', 'poster'];
const catalog = createModelCatalog({
  models: names.map((name) => ({ name }) as LogicalModel),
  aliases: new Map([['dall-e-3', 'poster']]),
  defaultModel: undefined,
});

function refusal(name: string, allowed?: ReadonlySet<string>): string {
  try {
    return catalog.find(name, allowed).name;
  } catch (error) {
    return error instanceof GatewayError ? `${error.kind}: ${error.message}` : String(error);
  }
}

test.each([
  ['gpt-image2', 'gpt-image-2'],
  ['GPT_Image_1.5', 'gpt-image-1.5'],
  ['dalle-3', 'dall-e-3'],
  ['posters', 'poster'],
])('%s, which does not exist, leads to %s', (name, near) => {
  expect(refusal(name)).toBe(`model_not_found: The model '${name}' does not exist. Did you mean '${near}'?`);
});

test.each(['nobody', '', '__proto__', 'x'.repeat(90)])('%j leads nowhere', (name) => {
  expect(refusal(name)).toBe(`model_not_found: The model '${name}' does not exist.`);
});

test('names that the key may not use are not suggested', () => {
  const allowed = new Set(['gpt-image-1.5']);
  expect(refusal('poster', allowed)).toBe("model_not_found: The model 'poster' does not exist.");
  expect(refusal('dalle-3', allowed)).toBe("model_not_found: The model 'dalle-3' does not exist.");
  expect(refusal('gpt-image-2', allowed)).toBe(
    "model_not_found: The model 'gpt-image-2' does not exist. Did you mean 'gpt-image-1.5'?",
  );
  expect(refusal('dalle-3', new Set(['poster']))).toContain("Did you mean 'dall-e-3'?");
});

test('a name of a megabyte is cut, and compared with nothing', () => {
  const message = refusal(`poster${'r'.repeat(1_000_000)}`);
  expect(message.length).toBeLessThan(200);
  expect(message).not.toContain('Did you mean');
});
