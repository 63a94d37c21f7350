import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as requestPath from '../../src/http/request-path.ts';

const { imagesRoots, modelsRoots, responsesRoots } = requestPath;
const routedUrl = (url: string) => requestPath.routedUrl({ url });

const roots = ['/v1', '/openai/v1', '/openai', '/openai/deployments/:deployment', '/v1/deployments/:deployment'];
const operations = ['generations', 'edits', 'variations'];

test('images are on five roots, each of them also below /m/{model}; models where no deployment is named', () => {
  expect(imagesRoots).toEqual([...roots, ...roots.map((root) => `/m/:model${root}`)]);
  const plain = ['/v1', '/openai/v1', '/openai'];
  expect(modelsRoots).toEqual([...plain, ...plain.map((root) => `/m/:model${root}`)]);
});

describe('a path of any surface', () => {
  const paths = imagesRoots
    .flatMap((root) => operations.map((operation) => `${root}/images/${operation}`))
    .concat(modelsRoots.flatMap((root) => [`${root}/models`, `${root}/models/image`]))
    .concat(responsesRoots.flatMap((root) => ['', '/resp_1', '/resp_1/cancel'].map((id) => `${root}/responses${id}`)))
    .map((path) => path.replace(':deployment', 'image').replace(':model', 'poster'));

  test.each(paths)('%s stays as it is, with any query', (path) => {
    for (const query of ['', '?', '?api-version=2025-04-01-preview', '?a=/images//b/&c=?/&d=%2F%3Asubmit']) {
      expect(routedUrl(`${path}${query}`)).toBe(`${path}${query}`);
    }
  });

  test.each(paths)('%s is found with more slashes than it needs', (path) => {
    expect(routedUrl(`${path}/`)).toBe(path);
    expect(routedUrl(`${path}///?a=//`)).toBe(`${path}?a=//`);
    expect(routedUrl(path.replaceAll('/', '//'))).toBe(path);
  });

  test.each(paths)('%s is found as a whole URL, whose host says nothing', (path) => {
    expect(routedUrl(`http://gateway${path}`)).toBe(path);
    expect(routedUrl(`HTTPS://user:password@[::1]:8866${path}?a=http://b/`)).toBe(`${path}?a=http://b/`);
  });
});

describe('a name in a path', () => {
  test.each([
    ['studio/poster', 'studio%2Fposter'],
    ['a/b/c/d', 'a%2Fb%2Fc%2Fd'],
    ['studio%2Fposter', 'studio%2Fposter'],
    ['studio%2fposter', 'studio%2fposter'],
    ['dep%20one/two', 'dep%20one%2Ftwo'],
    ['100%25', '100%25'],
    ['100%', '100%'],
    ['v1', 'v1'],
    ['openai', 'openai'],
    ['images', 'images'],
    ['m', 'm'],
    ['models', 'models'],
    ['deployments', 'deployments'],
    ['v1/poster', 'v1%2Fposter'],
    ['openai/dall-e-3', 'openai%2Fdall-e-3'],
    ['deployments/poster', 'deployments%2Fposter'],
    ['..', '..'],
    ['../..', '..%2F..'],
    ['%2e%2e', '%2e%2e'],
    ['a:submit', 'a:submit'],
    ['a;b=c', 'a;b=c'],
  ])('%s is one segment', (name, segment) => {
    for (const rest of [...operations.map((operation) => `/images/${operation}`), '/images/generations?x=/images/y']) {
      expect(routedUrl(`/openai/deployments/${name}${rest}`)).toBe(`/openai/deployments/${segment}${rest}`);
      expect(routedUrl(`/v1/deployments/${name}${rest}`)).toBe(`/v1/deployments/${segment}${rest}`);
      expect(routedUrl(`/m/${name}/v1${rest}`)).toBe(`/m/${segment}/v1${rest}`);
      expect(routedUrl(`/m/${name}/openai${rest}`)).toBe(`/m/${segment}/openai${rest}`);
      expect(routedUrl(`/m/${name}/openai/v1${rest}`)).toBe(`/m/${segment}/openai/v1${rest}`);
      expect(routedUrl(`/m/${name}/openai/deployments/${name}${rest}`)).toBe(
        `/m/${segment}/openai/deployments/${segment}${rest}`,
      );
    }
  });

  test.each(['studio/images/poster', 'images/images', 'a/v1/b', 'a/openai/b'])(
    '%s, as a deployment, is one segment',
    (name) => {
      expect(routedUrl(`/openai/deployments/${name}/images/edits`)).toBe(
        `/openai/deployments/${encodeURIComponent(name)}/images/edits`,
      );
    },
  );

  test.each(['a/v1/b', 'a/openai/b'])('%s, after /m/, is one segment, encoded or not', (name) => {
    const encoded = `/m/${encodeURIComponent(name)}/v1/images/edits`;
    expect(routedUrl(`/m/${name}/v1/images/edits`)).toBe(encoded);
    expect(routedUrl(encoded)).toBe(encoded);
  });
});

describe('a base URL that is nearly right', () => {
  const resources = [
    ...operations.map((operation) => `/images/${operation}`),
    '/models',
    '/models/image',
    '/responses',
    '/responses/resp_1/cancel',
  ];

  test.each([
    ['', '/v1'],
    ['/v1/v1', '/v1'],
    ['/v1/v1/v1/v1', '/v1'],
    ['/api', '/v1'],
    ['/api/v1', '/v1'],
    ['/api/v1/v1', '/v1'],
    ['/v1/api/v1', '/v1'],
    ['/openai/openai', '/openai'],
    ['/openai/openai/v1', '/openai/v1'],
    ['/openai/v1/v1', '/v1'],
    ['/openai/v1/openai', '/openai'],
    ['/v1/openai/v1', '/openai/v1'],
    ['/api/openai/v1', '/openai/v1'],
  ])('%j leads to %s', (base, root) => {
    for (const resource of resources) {
      expect(routedUrl(`${base}${resource}?a=/v1/images/`)).toBe(`${root}${resource}?a=/v1/images/`);
      expect(routedUrl(`http://gateway/${base}/${resource}/`)).toBe(`${root}${resource}`);
      expect(routedUrl(`/m/poster${base}${resource}`)).toBe(`/m/poster${root}${resource}`);
      expect(routedUrl(`/m/studio/poster${base}${resource}`)).toBe(`/m/studio%2Fposter${root}${resource}`);
    }
  });

  test.each([
    ['/deployments/image', '/v1/deployments/image'],
    ['/api/v1/deployments/image', '/v1/deployments/image'],
    ['/v1/v1/deployments/image', '/v1/deployments/image'],
    ['/openai/v1/deployments/image', '/v1/deployments/image'],
    ['/openai/openai/deployments/image', '/openai/deployments/image'],
    ['/openai/v1/openai/deployments/image', '/openai/deployments/image'],
    ['/v1/openai/deployments/image', '/openai/deployments/image'],
    ['/openai/deployments/image/v1', '/openai/deployments/image'],
    ['/openai/deployments/image/v1/v1', '/openai/deployments/image'],
    ['/openai/deployments/image/api/v1', '/openai/deployments/image'],
    ['/openai/deployments/image/openai/v1', '/openai/deployments/image'],
    ['/v1/deployments/image/v1', '/v1/deployments/image'],
    ['/openai/deployments/studio/poster/v1', '/openai/deployments/studio%2Fposter'],
    ['/openai/deployments/v1/v1', '/openai/deployments/v1'],
  ])('%s leads to %s', (base, root) => {
    for (const resource of resources.slice(0, 3)) {
      expect(routedUrl(`${base}${resource}?a=/v1/images/`)).toBe(`${root}${resource}?a=/v1/images/`);
      expect(routedUrl(`/m/poster${base}${resource}`)).toBe(`/m/poster${root}${resource}`);
    }
  });

  test.each([
    ['/openai/deployments/image', '/openai'],
    ['/openai/deployments/image/v1', '/openai'],
    ['/openai/deployments/studio%2Fposter/v1', '/openai'],
    ['/v1/deployments/image', '/v1'],
    ['/deployments/image/v1', '/v1'],
  ])('%s has the models of %s', (base, root) => {
    for (const resource of ['/models', '/models/a%2Fb', '/models/a/b']) {
      expect(routedUrl(`${base}${resource}`)).toBe(`${root}${resource}`);
    }
  });

  test.each([
    '/v1/images/generations/images/generations',
    '/v1/images/generations/v1/images/generations',
    '/v1/images/generations/openai/deployments/image/images/edits',
    '/openai/deployments/image/images/generations/images/generations',
    '/openai/deployments/image/images/generations/v1/images/edits',
    '/openai/deployments/image/openai/deployments/poster/images/generations',
    '/openai/deployments/images/generations',
    '/v2/images/generations',
    '/image/generations',
    '/v1/v1',
    '/api',
    '/v1/v1/v1/v1/v1/v1/images/generations',
  ])('%s, of which nothing tells what is meant, stays as it is', (path) => {
    expect(routedUrl(path)).toBe(path);
  });
});

describe('a Foundry project', () => {
  const resources = ['/responses', '/responses/resp_1', '/images/generations', '/images/edits', '/models'];

  test.each(['/openai/v1', '/openai'])('has what is on %s', (root) => {
    for (const resource of resources) {
      for (const project of ['shop', 'a%2Fb', 'openai', 'projects']) {
        expect(routedUrl(`/api/projects/${project}${root}${resource}?a=b`)).toBe(`${root}${resource}?a=b`);
        expect(routedUrl(`//api//projects/${project}/${root}${resource}/`)).toBe(`${root}${resource}`);
        expect(routedUrl(`/m/poster/api/projects/${project}${root}${resource}`)).toBe(`/m/poster${root}${resource}`);
      }
    }
  });

  test.each(['/api/projects/shop', '/api/projects/shop/agents', '/api/projects/openai/v1/responses'])(
    '%s is none of its surfaces',
    (path) => {
      expect(routedUrl(path)).toBe(path);
    },
  );
});

describe('what is on no surface', () => {
  test.each([
    '/',
    '/healthz',
    '/m',
    '/m/poster',
    '/m/v1/images/edits',
    '/m/a/b/metrics',
    '/openai/deployments/a/b',
    '/openai/deployments/images/edits',
    '/openai/other/a/b/images/edits',
    '/v2/deployments/a/b/images/edits',
    '*',
  ])('%s stays as it is', (path) => {
    expect(routedUrl(path)).toBe(path);
  });

  test.each([
    ['', ''],
    ['//', '/'],
    ['/m//v1/images/edits', '/m/v1/images/edits'],
    ['/openai/deployments//images/edits', '/openai/deployments/images/edits'],
    ['http://gateway', '/'],
    ['http://gateway?x', '/?x'],
    ['http:///v1/models', '/v1/models'],
    ['?//', '?//'],
  ])('%j becomes %j', (path, routed) => {
    expect(routedUrl(path)).toBe(routed);
  });
});

test.each([':submit', '%3Asubmit', '%3asubmit', '%3Asubmit/', '%3aSUBMIT'])(
  'generations%s is the legacy submit, in any query',
  (end) => {
    expect(routedUrl(`/openai/images/generations${end}?a=%3Asubmit`)).toBe(
      '/openai/images/generations:submit?a=%3Asubmit',
    );
  },
);

// Escapes are a part of a request only where they are valid; others are refused by the router.
const segment = fc.constantFrom(
  ...['', 'm', 'v1', 'api', 'openai', 'deployments', 'images', 'models', 'generations', 'edits', 'image', '..', '.'],
  ...['a%2Fb', '%3Asubmit', '%3asubmit', '%25', '%252F', 'http:', '?', '?x=/', '#', '*', 'é', '\\'],
);
const anyPath = fc.array(segment, { maxLength: 12 }).map((segments) => `/${segments.join('/')}`);
const anyUrl = fc.oneof(
  anyPath,
  anyPath.map((path) => `http:/${path}`),
  fc.string({ maxLength: 60 }),
);

test('property: a routed URL stays as it is when it is routed again', () => {
  fc.assert(
    fc.property(anyUrl, (url) => {
      const routed = routedUrl(url);
      expect(routedUrl(routed)).toBe(routed);
    }),
    { numRuns: 5000 },
  );
});

test('property: the query is never touched', () => {
  fc.assert(
    fc.property(anyPath, fc.string({ maxLength: 60 }), (path, query) => {
      const [before = ''] = path.split('?');
      expect(routedUrl(`${before}?${query}`)).toBe(`${routedUrl(before)}?${query}`);
    }),
    { numRuns: 2000 },
  );
});

test.each([
  ['slashes', '/'.repeat(16_000)],
  ['prefixes', '/m/'.repeat(5_000)],
  ['roots', '/m/a'.concat('/v1/'.repeat(4_000))],
  ['models', '/m/a'.concat('/models'.repeat(2_000))],
  ['roots without an end', '/api/v1'.repeat(2_000)],
  ['roots behind a deployment', '/openai/deployments/a'.concat('/v1'.repeat(5_000), '/images/edits')],
  ['Azure roots', '/m/a'.concat('/openai/deployments/'.repeat(800))],
  ['operations', `/openai/deployments/a${'/images/'.repeat(2_000)}`],
  ['nearly operations', `/openai/deployments/a${'/images'.repeat(2_000)}`],
  ['submits', '/openai/images/generations'.concat('%3Asubmit'.repeat(1_700), 'x')],
  ['colons', '%3A'.repeat(5_000)],
  ['question marks', '/?'.repeat(8_000)],
  ['hosts', 'http://'.repeat(2_200)],
  ['a host without an end', `http://${'a'.repeat(16_000)}`],
])('a hostile target of many %s is routed a thousand times without delay', (_, target) => {
  const routed = routedUrl(target);
  const begin = performance.now();
  for (let count = 0; count < 1000; count += 1) routedUrl(target);
  // Linear work takes some 100 ms at most; squared, it would take minutes.
  expect(performance.now() - begin).toBeLessThan(5_000);
  expect(routedUrl(routed)).toBe(routed);
});

test.each([
  ['/m/org/openai/x/v1/images/generations', '/m/org%2Fopenai%2Fx/v1/images/generations'],
  ['/m/a/openai/v1/images/edits', '/m/a/openai/v1/images/edits'],
  ['/m/a/openai/deployments/b/images/edits', '/m/a/openai/deployments/b/images/edits'],
])('%s: the model ends where a surface begins', (url, routed) => {
  expect(routedUrl(url)).toBe(routed);
});
