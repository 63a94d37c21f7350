import fc, { type Arbitrary } from 'fast-check';
import { fuzzedResponse } from './fuzzed-response.ts';
import { damage, known, type Member, objectOf, source, strange, wild, wrong } from './json-texts.ts';

/** `@MARK@` in the text stands for a prompt that nobody else sends. */
export type FuzzedBody = { readonly path: string; readonly type: string; readonly text: string };

const prompt: Arbitrary<Member> = fc.oneof(
  { weight: 14, arbitrary: fc.constant<Member>(['"prompt"', '"@MARK@"']) },
  { weight: 1, arbitrary: wild.map((text): Member => ['"prompt"', text]) },
);

/** Mostly what is allowed, with a little of everything else; a name may come twice. */
const members: Arbitrary<readonly Member[]> = fc
  .tuple(
    fc.option(prompt, { freq: 20 }),
    fc.array(known, { maxLength: 4 }),
    fc.oneof(
      { weight: 2, arbitrary: fc.constant([]) },
      { weight: 1, arbitrary: fc.array(fc.oneof(wrong, strange), { maxLength: 2 }) },
    ),
  )
  .map(([first, ...others]) => [...(first ? [first] : []), ...others.flat()]);

const roots = ['/v1', '/openai', '/openai/v1', '/openai/deployments/image', '/m/dall-e-3/v1', '/m/image/openai/v1'];
const json = fc.constantFrom(
  'application/json',
  'application/json',
  'application/json',
  'application/json; charset=utf-8',
);

const generation: Arbitrary<FuzzedBody> = fc
  .record({ root: fc.constantFrom(...roots), type: json, list: members, damage })
  .map(({ root, type, list, damage: change }) => ({
    path: `${root}/images/generations`,
    type,
    text: change(objectOf(list)),
  }));

const reference: Arbitrary<string> = fc.oneof(
  { weight: 8, arbitrary: source.map((text) => `{"image_url":${text}}`) },
  { weight: 1, arbitrary: source.map((text) => `{"image_url":${text},"image_url":${text}}`) },
  {
    weight: 1,
    arbitrary: fc.constantFrom('{"file_id":"a"}', '{}', 'null', '[]', '{"image_url":{"url":"a"}}', '{"a":1}'),
  },
);

const images: Arbitrary<readonly Member[]> = fc
  .tuple(
    fc.oneof(
      { weight: 10, arbitrary: fc.array(reference, { minLength: 1, maxLength: 2 }) },
      { weight: 1, arbitrary: fc.array(reference, { maxLength: 18 }) },
    ),
    fc.array(fc.tuple(fc.constantFrom('"mask"', '"markup"', '"images"'), reference), { maxLength: 1 }),
  )
  .map(([images, others]): Member[] => [['"images"', `[${images.join(',')}]`], ...others]);

const jsonEdit: Arbitrary<FuzzedBody> = fc
  .record({
    root: fc.constantFrom(...roots),
    type: json,
    list: members,
    shown: images,
    isFirst: fc.boolean(),
    damage,
  })
  .map(({ root, type, list, shown, isFirst, damage: change }) => ({
    path: `${root}/images/edits`,
    type,
    text: change(objectOf(isFirst ? [...shown, ...list] : [...list, ...shown])),
  }));

/** Bodies of generations, of edits in JSON, and of responses. */
export const fuzzedBody: Arbitrary<FuzzedBody> = fc.oneof(
  { weight: 3, arbitrary: generation },
  { weight: 1, arbitrary: jsonEdit },
  { weight: 2, arbitrary: fuzzedResponse },
);
