import fc, { type Arbitrary } from 'fast-check';
import { openApiDocument } from '../../src/http/openapi/document.ts';
import { tinyPng } from '../end-to-end/rig.ts';

type Schema = {
  readonly type?: string;
  readonly anyOf?: readonly Schema[];
  readonly enum?: readonly unknown[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
};

const { schemas } = openApiDocument.components as { schemas: Record<string, { properties: Record<string, Schema> }> };
const parameters = schemas.GenerationRequest?.properties ?? {};

/** JSON texts of what the schema allows, and what is just beside it. */
export function ofSchema({ type, anyOf, enum: values, minimum, maximum, maxLength }: Schema): Arbitrary<string> {
  if (anyOf) return fc.oneof(...anyOf.map(ofSchema));
  if (values) return fc.constantFrom(...values.map((value) => JSON.stringify(value)));
  if (type === 'integer') {
    const [least, most] = [minimum ?? 0, maximum ?? 100];
    const edges = [least - 1, least, most, most + 1, least + 0.5].map(String);
    return fc.oneof(fc.integer({ min: least, max: most }).map(String), fc.constantFrom(...edges));
  }
  if (type === 'boolean') return fc.constantFrom('true', 'false');
  if (type === 'null') return fc.constant('null');
  const edge = maxLength === undefined ? [] : [maxLength, maxLength + 1].map((length) => `"${'x'.repeat(length)}"`);
  return fc.oneof({ weight: 6, arbitrary: word }, { weight: 1, arbitrary: fc.constantFrom('""', ...edge) });
}

/** Words that mean something to one parameter or another. */
export const word = fc
  .constantFrom(
    ...[
      'auto',
      '1024x1024',
      '1536x1024',
      '512x512',
      '1x1',
      '99999x99999',
      '0x0',
      'low',
      'high',
      'hd',
      'standard',
      'vivid',
    ],
    ...['natural', 'png', 'jpeg', 'webp', 'opaque', 'transparent', 'url', 'b64_json', 'image', 'dall-e-3', 'dall-e-2'],
    ...['studio/poster', 'gpt-image-1', 'nobody', '__proto__', 'constructor', 'cat'],
  )
  .map((text) => JSON.stringify(text));

const nested = (levels: number, open: string, close: string) => `${open.repeat(levels)}1${close.repeat(levels)}`;

/** JSON texts, and texts that are nearly JSON, that fit nowhere. */
export const wild: Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...['null', 'true', '0', '-0', '1e400', '-1e400', '1E+2', '01', '.5', '5.', '0x10', 'NaN', 'Infinity', '1e-400'],
    ...['9007199254740993', '-9007199254740993', '18446744073709551616', '1.0', '1.0000000000000001', '3.0e0'],
    ...[
      '"\\ud800"',
      '"\\udc00\\ud800"',
      '"\\u0000"',
      '"\\u202e"',
      '"\\x"',
      '"\u0001"',
      '"\ufeff"',
      '"😀"',
      '"e\u0301"',
    ],
    ...['[]', '{}', '[[]]', '{"a":{}}', '{"__proto__":{"n":2}}', '{"constructor":{"prototype":{}}}', '[null]', '""'],
    ...[nested(31, '[', ']'), nested(33, '[', ']'), nested(500, '{"a":', '}'), nested(3_000, '[', ']')],
    ...[
      `"${'x'.repeat(1_001)}"`,
      `"${'x'.repeat(33_000)}"`,
      `"${'😀'.repeat(20_000)}"`,
      `"${'\\u0041'.repeat(5_000)}"`,
    ],
  ),
  fc.jsonValue({ maxDepth: 4 }).map((value) => JSON.stringify(value)),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => JSON.stringify(text)),
  fc.double().map(String),
);

export type Member = readonly [name: string, text: string];

export const known: Arbitrary<Member> = fc
  .constantFrom(...Object.entries(parameters).filter(([name]) => name !== 'prompt'))
  .chain(([name, schema]) => ofSchema(schema).map((text): Member => [JSON.stringify(name), text]));

export const wrong: Arbitrary<Member> = fc.tuple(
  fc.constantFrom(...Object.keys(parameters)).map((name) => JSON.stringify(name)),
  wild,
);

const strangeNames = [
  'seed',
  'logprobs',
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  '',
  'a b',
];
const moreNames = [
  'images',
  'image',
  'mask',
  'x'.repeat(65),
  'größe',
  '\u0000',
  'a\r\nb',
  '1',
  '-',
  'image[]',
  'then',
  'toJSON',
];

export const strange: Arbitrary<Member> = fc.tuple(
  fc.oneof(
    fc.constantFrom(...strangeNames, ...moreNames).map((name) => JSON.stringify(name)),
    fc.constantFrom('"\\u005f_proto__"', '"prom\\u0070t"', '"\\ud800"', '"n"', 'n', "'n'"),
  ),
  fc.oneof(word, wild),
);

export const objectOf = (list: readonly Member[]): string =>
  `{${list.map(([name, text]) => `${name}:${text}`).join(',')}}`;

export const damage: Arbitrary<(text: string) => string> = fc.oneof(
  { weight: 12, arbitrary: fc.constant((text: string) => text) },
  fc
    .double({ min: 0, max: 1, noNaN: true })
    .map((where) => (text: string) => text.slice(0, Math.floor(text.length * where))),
  fc
    .tuple(
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.constantFrom('"', '{', '}', ',', ':', '\\', '\u0000', '\u2028', 'ü', ' '),
    )
    .map(([where, more]) => (text: string) => {
      const at = Math.floor(text.length * where);
      return text.slice(0, at) + more + text.slice(at);
    }),
  fc.constantFrom(
    (text: string) => `[${text}]`,
    (text: string) => `\ufeff${text}`,
    (text: string) => `${text}${text}`,
    (text: string) => `${text} //`,
    (text: string) => text.replaceAll('"', "'"),
    (text: string) => `${' '.repeat(10_000)}${text}\r\n`,
    () => '',
  ),
);

const image = `data:image/png;base64,${tinyPng}`;
export const source: Arbitrary<string> = fc.oneof(
  { weight: 5, arbitrary: fc.constant(JSON.stringify(image)) },
  {
    weight: 2,
    arbitrary: fc
      .constantFrom(
        ...[
          image.slice(0, 60),
          'data:image/png;base64,',
          'data:,',
          'data:image/png;base64,@@@',
          `DATA:x;BASE64,${tinyPng}`,
        ],
        ...['https://127.0.0.1/a.png', 'http://169.254.169.254/', 'file:///etc/passwd', `data:${'x'.repeat(300)},`, ''],
        ...[`${image}${'A'.repeat(4_000)}`, image.replace('image/png', 'text/html'), `${image}\n`],
      )
      .map((text) => JSON.stringify(text)),
  },
  { weight: 1, arbitrary: wild },
);
