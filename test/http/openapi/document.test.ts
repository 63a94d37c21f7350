import { Validator } from '@seriousme/openapi-schema-validator';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ErrorKind, GatewayError } from '../../../src/domain/gateway-error.ts';
import { callerViews, errorBody } from '../../../src/http/error-response.ts';
import { openApiDocument } from '../../../src/http/openapi/document.ts';
import { imageParameters, parseParameters } from '../../../src/http/surfaces/openai-images/parse-parameters.ts';
import { problems } from './schema-checker.ts';

describe('the OpenAPI document', () => {
  test('is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(structuredClone(openApiDocument) as Record<string, unknown>);
    expect({ valid, errors }).toEqual({ valid: true, errors: undefined });
    expect(validator.version).toBe('3.1');
  });

  test('has nothing behind its links that is not there', () => {
    const text = JSON.stringify(openApiDocument);
    const links = [...text.matchAll(/"\$ref":"#\/components\/(\w+)\/([^"]+)"/g)];
    const components = openApiDocument.components as Record<string, Record<string, unknown>>;
    expect(links.length).toBeGreaterThan(100);
    expect(links.filter(([, kind = '', name = '']) => components[kind]?.[name] === undefined)).toEqual([]);
    expect(text.match(/"\$ref":"(?!#\/components\/)/g)).toBeNull();
  });

  test('describes every parameter, and no other', () => {
    const { properties } = (openApiDocument.components as { schemas: Record<string, { properties: object }> }).schemas
      .GenerationRequest as { properties: Record<string, { description?: string }> };
    expect(Object.keys(properties)).toEqual(Object.keys(imageParameters.shape));
    expect(Object.entries(properties).filter(([, { description }]) => description === undefined)).toEqual([]);
  });
});

const kinds = Object.keys(callerViews) as ErrorKind[];
const seen = kinds.filter((kind) => kind !== 'client_gone');

describe('the schema of an error', () => {
  test.each(seen)('takes %s', (kind) => {
    const moderation = { stage: 'input', categories: ['violence'] } as const;
    for (const facts of [{}, { param: 'prompt' }, { moderation }]) {
      const body = errorBody(new GatewayError(kind, 'It failed.', facts));
      expect(problems(`Error${callerViews[kind].status}`, body)).toBe('');
      expect(problems('StreamError', body)).toBe('');
    }
  });

  test('takes no other code, and none of another status', () => {
    const { error } = errorBody(new GatewayError('invalid_value', 'No.'));
    expect(problems('Error400', { error: { ...error, code: 'strange' } })).toContain('code');
    expect(problems('Error404', { error })).toContain('code');
    expect(problems('Error400', { error, more: 1 })).toContain('additional properties');
  });
});

const short = fc.string({ unit: 'grapheme-ascii', maxLength: 70 });
const value = fc.oneof(
  { weight: 3, arbitrary: short },
  { weight: 3, arbitrary: fc.integer({ min: -2, max: 105 }) },
  fc.constantFrom(null, true, false, 1.5, 1e300, -0, '', 'url', 'b64_json', 'auto', [], {}, ['a'], { a: 1 }),
);
const name = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...Object.keys(imageParameters.shape)) },
  { weight: 1, arbitrary: fc.constantFrom('seed', 'a b', '', 'größe', 'constructor', 'x'.repeat(65), 'x.y-z_1') },
);
const body = fc
  .tuple(fc.option(short, { freq: 8, nil: undefined }), fc.array(fc.tuple(name, value), { maxLength: 4 }))
  .map(([prompt, members]) => ({ ...Object.fromEntries(members), ...(prompt !== undefined && { prompt }) }));

test('the schema of a generation takes what the gateway takes, and nothing else', () => {
  let taken = 0;
  const runs = 4_000;
  fc.assert(
    fc.property(body, (sent) => {
      const isTaken = takes(sent);
      if (isTaken) taken += 1;
      // A name that is no name is not looked at when its value is null.
      const isSpecial = Object.entries(sent).some(([key, given]) => given === null && !/^[\w.-]{1,64}$/.test(key));
      if (!isSpecial) expect([sent, problems('GenerationRequest', sent) === '']).toEqual([sent, isTaken]);
    }),
    { numRuns: runs },
  );
  expect(taken).toBeGreaterThan(runs / 20);
  expect(taken).toBeLessThan(runs - runs / 20);
});

function takes(sent: Record<string, unknown>): boolean {
  try {
    parseParameters(sent, undefined);
    return true;
  } catch {
    return false;
  }
}

type Described = {
  parameters?: { $ref: string }[];
  responses?: Record<string, { $ref: string }>;
  operationId?: string;
};
const document = openApiDocument as unknown as {
  paths: Record<string, Record<string, Described>>;
  components: { responses: Record<string, { headers: object }>; parameters: Record<string, { name: string }> };
};

function parametersOf(operation: Described | undefined): (string | undefined)[] {
  const links = operation?.parameters ?? [];
  return links.map(({ $ref }) => document.components.parameters[$ref.split('/').at(-1) ?? '']?.name);
}

describe('operations of the document', () => {
  test('have ids of their own', () => {
    const all = Object.values(document.paths).flatMap((path) => Object.values(path));
    const ids = all.map(({ operationId }) => operationId).filter((id) => id !== undefined);
    expect(ids).toEqual(expect.arrayContaining(['createImage', 'submitOperation', 'getOperation', 'deleteOperation']));
    expect(ids).toHaveLength(new Set(ids).size);
  });

  test('take `Prefer` where it has an effect, and only there', () => {
    const creates = document.paths['/v1/responses']?.post;
    expect([parametersOf(creates).includes('Prefer'), creates?.responses?.[202]]).toEqual([false, undefined]);
    const generates = document.paths['/v1/images/generations']?.post;
    expect([parametersOf(generates).includes('Prefer'), generates?.responses?.[202]]).toEqual([
      true,
      expect.anything(),
    ]);
    expect(parametersOf(document.paths['/v1/images/generations/async']?.post)).not.toContain('Prefer');
  });

  test('that submit say how they are named', () => {
    const submits = document.paths['/openai/images/generations:submit']?.post;
    expect(parametersOf(submits)).toEqual(
      expect.arrayContaining(['Operation-Id', 'x-ms-client-request-id', 'api-version']),
    );
  });
});

describe('an Idempotency-Key in the document', () => {
  const operations = ['/v1/images/generations', '/v1/images/edits'].map((path) => document.paths[path]?.post);

  test('is a parameter of generations and edits', () => {
    for (const operation of operations) expect(parametersOf(operation)).toContain('Idempotency-Key');
  });

  test.each([200, 400, 409, 410, 422, 502, 503])('has its headers, or its error, described for status %i', (status) => {
    for (const operation of operations) {
      const link = operation?.responses?.[status];
      const { headers } = document.components.responses[link?.$ref.split('/').at(-1) ?? ''] ?? { headers: {} };
      expect(Object.keys(headers)).toEqual(expect.arrayContaining(['x-gateway-job', 'idempotent-replayed']));
    }
  });
});
