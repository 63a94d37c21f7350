import fc, { type Arbitrary } from 'fast-check';
import { tinyPng } from '../end-to-end/rig.ts';
import type { FuzzedBody } from './fuzzed-body.ts';
import { damage, known, type Member, objectOf, source, strange, wild, word } from './json-texts.ts';

const mark = '"@MARK@"';

/** Mostly what is meant here, and sometimes what fits nowhere. */
const mostly = (good: Arbitrary<string>): Arbitrary<string> =>
  fc.oneof({ weight: 15, arbitrary: good }, { weight: 1, arbitrary: wild });

const oneOf = (...texts: readonly string[]): Arbitrary<string> => mostly(fc.constantFrom(...texts));

const listOf = (texts: readonly string[]): string => `[${texts.join(',')}]`;

const list = (text: Arbitrary<string>, limits: { minLength?: number; maxLength: number }): Arbitrary<string> =>
  fc.array(text, limits).map(listOf);

const textPart = fc.constantFrom('input_text', 'output_text').map((type) => `{"type":"${type}","text":${mark}}`);

const imagePart = source.map((url) => `{"type":"input_image","image_url":${url}}`);

const part = fc.oneof(
  { weight: 6, arbitrary: textPart },
  { weight: 3, arbitrary: imagePart },
  {
    weight: 1,
    arbitrary: fc.constantFrom('{"type":"input_image","file_id":"a"}', '{"type":"input_file"}', '{"text":"a"}', '{}'),
  },
);

const message = fc
  .tuple(
    oneOf('"user"', '"user"', '"user"', '"assistant"', '"system"'),
    mostly(list(part, { minLength: 1, maxLength: 3 })),
  )
  .map(([role, content]) => `{"role":${role},"content":${content}}`);

const call = mostly(
  fc.constantFrom(
    ...[`{"type":"image_generation_call","id":"ig_0","result":"${tinyPng}"}`, '{"type":"image_generation_call"}'],
    ...['{"type":"image_generation_call","id":"ig_unknown"}', '{"type":"item_reference","id":"ig_unknown"}'],
  ),
);

const textMessage = `{"role":"user","content":${mark}}`;

const item = fc.oneof(
  { weight: 6, arbitrary: message },
  { weight: 1, arbitrary: call },
  { weight: 1, arbitrary: fc.constantFrom('{"type":"reasoning"}', '{"type":"function_call"}', '{}', textMessage) },
);

const input = fc.oneof(
  { weight: 4, arbitrary: fc.constant(mark) },
  { weight: 4, arbitrary: list(item, { minLength: 1, maxLength: 3 }) },
  { weight: 1, arbitrary: list(item, { maxLength: 40 }) },
  { weight: 1, arbitrary: wild },
);

/** Of the Images API's parameters, most are options of the tool. */
const notOfTool = ['model', 'user', 'style', 'response_format', 'stream', 'n'].map((name) => JSON.stringify(name));

const option: Arbitrary<Member> = fc.oneof(
  { weight: 12, arbitrary: known.filter(([name]) => !notOfTool.includes(name)) },
  {
    weight: 1,
    arbitrary: fc.tuple(
      fc.constantFrom('"action"', '"model"', '"input_image_mask"', ...notOfTool),
      fc.oneof(word, wild),
    ),
  },
);

const tool = fc
  .array(option, { maxLength: 3 })
  .map((options) => objectOf([['"type"', '"image_generation"'], ...options]));

const tools = mostly(
  fc.oneof(
    { weight: 12, arbitrary: tool.map((one) => listOf([one])) },
    { weight: 1, arbitrary: list(tool, { maxLength: 3 }) },
  ),
);

/** Members whose values matter; what has no effect stands among them. */
const others: Arbitrary<Member> = fc.oneof(
  fc.tuple(fc.constant('"stream"'), oneOf('true')),
  fc.tuple(fc.constantFrom('"stream"', '"store"', '"background"'), oneOf('true', 'false', 'null')),
  fc.tuple(fc.constant('"metadata"'), oneOf('{}', '{"a":"b"}', '{"a":1}', `{"${'k'.repeat(65)}":"v"}`)),
  fc.tuple(fc.constantFrom('"temperature"', '"text"', '"reasoning"', '"include"', '"top_p"'), fc.oneof(word, wild)),
  fc.tuple(fc.constant('"tool_choice"'), oneOf('"auto"', '"required"', '{"type":"image_generation"}')),
  fc.tuple(fc.constantFrom('"user"', '"instructions"', '"safety_identifier"'), fc.oneof(word, wild)),
  fc.tuple(fc.constantFrom('"previous_response_id"', '"conversation"'), oneOf('null', '"resp_unknown"')),
);

const members: Arbitrary<readonly Member[]> = fc
  .tuple(
    fc.option(oneOf('"image"', '"gpt-image-1"', '"studio/poster"', '"dall-e-3"', '"nobody"'), { freq: 30 }),
    fc.option(input, { freq: 20 }),
    fc.option(tools, { freq: 3 }),
    fc.array(others, { maxLength: 2 }),
    fc.oneof({ weight: 4, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(strange, { maxLength: 1 }) }),
  )
  .map(([model, given, offered, ...more]): readonly Member[] => [
    ...(model === null ? [] : [['"model"', model] as const]),
    ...(given === null ? [] : [['"input"', given] as const]),
    ...(offered === null ? [] : [['"tools"', offered] as const]),
    ...more.flat(),
  ])
  .chain((all) => fc.shuffledSubarray([...all], { minLength: all.length }));

/** Bodies of responses, with their members in any order. */
export const fuzzedResponse: Arbitrary<FuzzedBody> = fc
  .record({
    path: fc.constantFrom('/v1/responses', '/openai/v1/responses', '/api/projects/any/openai/v1/responses'),
    list: members,
    damage,
  })
  .map(({ path, list: all, damage: change }) => ({ path, type: 'application/json', text: change(objectOf(all)) }));
