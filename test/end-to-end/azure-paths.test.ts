import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { tinyPng } from '../fixtures/images.ts';
import { exactClient, type Question, type Reply } from '../helpers/exact-client.ts';
import { gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import { fields, formHeaders, writeForm } from '../simulator/write-form.ts';
import { type Rig, requestLines, startRig, startUpstream } from './rig.ts';
import { startStore } from './store.ts';

const key = { 'api-key': gatewayKey };
const json = { ...key, 'content-type': 'application/json' };

const roots = ['/v1', '/openai/v1', '/openai', '/openai/deployments/NAME', '/v1/deployments/NAME'];
const surfaces = [...roots, ...roots.map((root) => `/m/NAME${root}`)];
const modelSurfaces = surfaces.filter((root) => !root.includes('/deployments/'));
const operations = ['generations', 'edits'] as const;

type Operation = (typeof operations)[number];

/** A call of either operation, which differ in nothing but the body. */
function paidCall(operation: Operation, root: string, values: Record<string, string> = {}): Required<Question> {
  const path = `${root}/images/${operation}`;
  if (operation === 'generations') {
    return { method: 'POST', path, headers: json, body: JSON.stringify({ prompt: 'a cat', ...values }) };
  }
  const image = { name: 'image', bytes: Buffer.from(tinyPng, 'base64'), filename: 'a.png', type: 'image/png' };
  const body = writeForm([...fields({ prompt: 'a cat', ...values }), image]);
  return { method: 'POST', path, headers: { ...key, ...formHeaders }, body };
}

function errorOf({ text }: Reply): { code: string; param: string | null; message: string } {
  return JSON.parse(text).error;
}

const codeOf = (reply: Reply) => [reply.status, errorOf(reply).code];

describe.each(operations)('images/%s', (operation) => {
  test('get a response on every surface, for a model named there or in the body', async () => {
    const rig = await startRig();
    const send = exactClient(rig.url);
    const versions = ['', '?', '?api-version=2025-04-01-preview', '?api-version=v1', '?api-version=preview&x=/y?z'];
    for (const root of surfaces) {
      for (const [name, model] of [
        ['image', 'image'],
        ['gpt-image-1', 'image'],
        ['studio%2Fposter', 'studio/poster'],
        ['studio/poster', 'studio/poster'],
      ] as const) {
        const isNamed = root.includes('NAME');
        const call = paidCall(operation, root.replaceAll('NAME', name), isNamed ? {} : { model });
        const version = versions[(surfaces.indexOf(root) + name.length) % versions.length];
        const reply = await send({ ...call, path: `${call.path}${version}` });
        expect([root, reply.status, reply.headers['x-gateway-model']]).toEqual([root, 200, model]);
        expect(JSON.parse(reply.text).data).toHaveLength(1);
      }
    }
    expect(rig.simulator.ledger.counts()).toMatchObject({ billed: surfaces.length * 4 });
  });

  test('with any api-version: it never reaches the upstream', async () => {
    const rig = await startRig();
    const send = exactClient(rig.url);
    const versions = ['2023-06-01-preview', 'caller-canary', '', '%zz', '../../x', 'a&api-version=b'];
    for (const version of versions) {
      for (const root of ['/v1', '/openai/deployments/studio%2Fposter']) {
        const call = paidCall(operation, root);
        expect((await send({ ...call, path: `${call.path}?api-version=${version}` })).status).toBe(200);
      }
    }
    const queries = rig.simulator.ledger.requests.map(({ query }) => JSON.stringify(query));
    expect(new Set(queries)).toEqual(new Set(['{"api-version":"2025-04-01-preview"}', '{}']));
  });

  test('below base URLs that are nearly right, get a response, and are logged by the route that they stand for', async () => {
    const rig = await startRig();
    const send = exactClient(rig.url);
    const slips = [
      ['', '/v1'],
      ['/v1/v1', '/v1'],
      ['/api/v1', '/v1'],
      ['/m/image', '/m/:model/v1'],
      ['/openai/deployments/image/v1', '/openai/deployments/:deployment'],
      ['/openai/openai/deployments/studio/poster', '/openai/deployments/:deployment'],
      ['/deployments/image', '/v1/deployments/:deployment'],
    ] as const;
    for (const [root] of slips) expect([root, (await send(paidCall(operation, root))).status]).toEqual([root, 200]);
    expect(rig.simulator.ledger.counts()).toMatchObject({ billed: slips.length });
    await expect.poll(() => requestLines(rig).length).toBe(slips.length);
    const routes = requestLines(rig).map(({ route }) => route);
    expect(routes).toEqual(slips.map(([, root]) => `${root}/images/${operation}`));
  });

  test('below trailing and double slashes, or requested by a whole URL, get a response at once', async () => {
    const rig = await startRig();
    const send = exactClient(rig.url);
    for (const root of surfaces) {
      const call = paidCall(operation, root.replaceAll('NAME', 'image'));
      for (const path of [`${call.path}/`, call.path.replaceAll('/', '//'), `http://elsewhere.example${call.path}`]) {
        expect([path, (await send({ ...call, path })).status]).toEqual([path, 200]);
      }
    }
  });
});

describe.each(operations)('the model of images/%s', (operation) => {
  // From the strongest to the weakest.
  const places = ['path', 'prefix', 'body', 'header'] as const;
  const target = { provider: 'azure-v1', model: 'gpt-image-2', apiKey: 'simulator-key' };

  async function startNamed(defaultModel?: string): Promise<Rig> {
    const rig = await startRig();
    const names = [...places, 'fallback'].map((place) => `by ${place}/x`);
    const models = Object.fromEntries(names.map((name) => [name, { ...target, baseURL: rig.simulator.origin }]));
    const gateway = await startGateway({ models, ...(defaultModel !== undefined && { defaultModel }) });
    return Object.assign(rig, { url: gateway.url });
  }

  function named(names: Partial<Record<(typeof places)[number], string>>): Question {
    const deployment = names.path === undefined ? '/v1' : `/openai/deployments/${encodeURIComponent(names.path)}`;
    const prefix = names.prefix === undefined ? '' : `/m/${encodeURIComponent(names.prefix)}`;
    const call = paidCall(operation, `${prefix}${deployment}`, names.body === undefined ? {} : { model: names.body });
    return { ...call, headers: { ...call.headers, ...(names.header !== undefined && { 'x-target': names.header }) } };
  }

  test('is that of the path, else of /m/, else of the body, else of x-target, else the default', async () => {
    const send = exactClient((await startNamed('by fallback/x')).url);
    for (let choice = 0; choice < 16; choice += 1) {
      const given = places.filter((_, index) => (choice >> index) % 2 === 1);
      const reply = await send(named(Object.fromEntries(given.map((place) => [place, `by ${place}/x`]))));
      expect([given, reply.headers['x-gateway-model']]).toEqual([given, `by ${given[0] ?? 'fallback'}/x`]);
    }
  });

  test('that does not exist is a 404, wherever it is named, and whatever else is named', async () => {
    const rig = await startNamed('by fallback/x');
    const send = exactClient(rig.url);
    for (const [index, place] of places.entries()) {
      const weaker = places.slice(index + 1).map((other) => [other, `by ${other}/x`]);
      for (const unknown of [
        'nobody',
        'by path',
        'BY PATH/X',
        '__proto__',
        'constructor',
        '..',
        '100%',
        'by%20path/x',
      ]) {
        const reply = await send(named({ [place]: unknown, ...Object.fromEntries(weaker) }));
        const code = place === 'path' ? 'DeploymentNotFound' : 'model_not_found';
        expect([place, unknown, ...codeOf(reply)]).toEqual([place, unknown, 404, code]);
        expect(errorOf(reply)).toMatchObject({ param: 'model', message: expect.stringContaining(`'${unknown}'`) });
      }
    }
    expect(rig.simulator.ledger.requests).toEqual([]);
  });

  test('that is named nowhere, where there is no default, is a 400', async () => {
    const send = exactClient((await startNamed()).url);
    for (const question of [named({}), named({ header: '' })]) {
      const reply = await send(question);
      expect([...codeOf(reply), errorOf(reply).param]).toEqual([400, 'missing_required_parameter', 'model']);
    }
  });

  test('that is null in the body counts as not named', async () => {
    const send = exactClient((await startNamed('by fallback/x')).url);
    const call = paidCall(operation, '/v1', { model: 'null' });
    const body = operation === 'edits' ? call.body : '{"prompt":"a cat","model":null}';
    const reply = await send({ ...call, body, headers: { ...call.headers, 'x-target': 'by header/x' } });
    expect([reply.status, reply.headers['x-gateway-model']]).toEqual([200, 'by header/x']);
  });

  test('in x-target: an empty one counts as none, two of them are no model', async () => {
    const send = exactClient((await startNamed('by fallback/x')).url);
    expect((await send(named({ header: '' }))).headers['x-gateway-model']).toBe('by fallback/x');
    expect(codeOf(await send(named({ header: 'by path/x, by header/x' })))).toEqual([404, 'model_not_found']);
  });
});

test('property: any name in a path is found, encoded or with its slashes as they are', async () => {
  const { url } = await startRig();
  const send = exactClient(url);
  const character = fc.oneof(
    { weight: 3, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 1 }) },
    { weight: 1, arbitrary: fc.constantFrom('/', '%', '%2F', '%25', '?', '#', ' ', '..', ';', ':', '*', '+', '&') },
    { weight: 1, arbitrary: fc.constantFrom('v1', 'openai', 'images', 'm', 'deployments', 'models', ':submit') },
  );
  const names = fc
    .array(character, { minLength: 1, maxLength: 12 })
    .map((parts) => parts.join(''))
    // Spare slashes vanish, behind /m/ the roots begin the surface, and behind a deployment they belong to the client.
    .filter((name) => !/^\/|\/$|\/\/|\/(?:v1|openai|deployments)(?:\/|$)/.test(name));
  const places = fc.constantFrom(
    (name: string) => `/openai/deployments/${name}/images/generations`,
    (name: string) => `/v1/deployments/${name}/images/edits`,
    (name: string) => `/m/${name}/v1/images/generations?a=/v1/images/`,
    (name: string) => `/m/image/openai/deployments/${name}/images/generations/`,
  );
  await fc.assert(
    fc.asyncProperty(names, places, async (name, place) => {
      const encoded = encodeURIComponent(name);
      for (const spelled of [encoded, encoded.replaceAll('%2F', '/')]) {
        const path = place(spelled);
        const call = paidCall(path.includes('/edits') ? 'edits' : 'generations', '');
        const reply = await send({ ...call, path });
        expect([reply.status, errorOf(reply).message]).toEqual([404, `The model '${name}' does not exist.`]);
      }
    }),
    { numRuns: 120 },
  );
});

describe('models', () => {
  test('are listed and found on every surface that names no deployment', async () => {
    const { url } = await startRig();
    const send = exactClient(url);
    const ids = ['image', 'studio/poster', 'dall-e-3', 'dall-e-2', 'gpt-image-1'];
    for (const root of modelSurfaces) {
      for (const name of root.includes('NAME') ? ['image', 'studio%2Fposter', 'studio/poster', 'nobody'] : ['']) {
        const base = `${root.replace('NAME', name)}/models`;
        const list = JSON.parse((await send({ path: `${base}?api-version=2024-10-21`, headers: key })).text);
        expect(list.data.map(({ id }: { id: string }) => id)).toEqual(ids);
        for (const spelled of ['studio/poster', 'studio%2Fposter', 'studio%2fposter/']) {
          const found = await send({ path: `${base}/${spelled}?api-version=v1`, headers: key });
          expect([base, found.status, JSON.parse(found.text).id]).toEqual([base, 200, 'studio/poster']);
        }
        expect(codeOf(await send({ path: `${base}/nobody`, headers: key }))).toEqual([404, 'model_not_found']);
      }
    }
  });

  test('with blanks, slashes and escapes in their names are found by their encoded names', async () => {
    const target = { provider: 'azure-v1', model: 'gpt-image-2', baseURL: 'http://127.0.0.1:9', apiKey: 'k' };
    const names = ['x/y z', '100%', 'a%2Fb', 'v1', 'openai', 'größe 🐈', 'a?b#c'];
    const gateway = await startGateway({ models: Object.fromEntries(names.map((name) => [name, target])) });
    const send = exactClient(gateway.url);
    for (const name of names) {
      for (const root of ['/v1', '/openai', '/openai/v1', '/m/v1/v1']) {
        const reply = await send({ path: `${root}/models/${encodeURIComponent(name)}`, headers: key });
        expect([name, reply.status, JSON.parse(reply.text).id]).toEqual([name, 200, name]);
      }
    }
  });

  test('are listed below base URLs that are nearly right, too', async () => {
    const { url } = await startRig();
    const send = exactClient(url);
    for (const base of ['', '/v1/v1', '/api/v1', '/m/image', '/openai/deployments/image/v1']) {
      const list = await send({ path: `${base}/models`, headers: key });
      expect([base, list.status, JSON.parse(list.text).data?.length]).toEqual([base, 200, 5]);
      const one = await send({ path: `${base}/models/studio/poster`, headers: key });
      expect([base, one.status, JSON.parse(one.text).id]).toEqual([base, 200, 'studio/poster']);
    }
  });

  test('are not deleted', async () => {
    const { url } = await startRig();
    const send = exactClient(url);
    for (const root of modelSurfaces.map((surface) => surface.replace('NAME', 'image'))) {
      const reply = await send({ method: 'DELETE', path: `${root}/models/image`, headers: key });
      expect([...codeOf(reply), reply.headers.allow]).toEqual([405, 'method_not_allowed', 'GET, HEAD']);
    }
  });
});

describe('what is not offered', () => {
  const bodies: readonly Pick<Question, 'headers' | 'body'>[] = [
    { headers: json, body: '{"prompt":"a cat"}' },
    { headers: json, body: '{' },
    { headers: { ...key, 'content-type': 'text/plain' }, body: 'hello' },
    { headers: { ...key, ...formHeaders }, body: writeForm(fields({ prompt: 'a cat' })) },
    { headers: { ...key, 'content-type': 'multipart/form-data' }, body: 'no form' },
    { headers: { ...key, 'content-type': 'nonsense' }, body: 'x'.repeat(2_000_000) },
    { headers: key },
  ];

  test('variations: a 400 on every surface, whatever they are called with', async () => {
    const rig = await startRig();
    const send = exactClient(rig.url);
    for (const root of surfaces.map((surface) => surface.replaceAll('NAME', 'image'))) {
      for (const body of root === '/v1' ? bodies : bodies.slice(0, 4)) {
        for (const end of ['', '/', '?api-version=v1']) {
          const reply = await send({ method: 'POST', path: `${root}/images/variations${end}`, ...body });
          expect([root, ...codeOf(reply)]).toEqual([root, 400, 'unsupported_operation']);
        }
      }
    }
    expect(rig.simulator.ledger.requests).toEqual([]);
  });

  test('other methods of images: a 405 that names the right one', async () => {
    const rig = await startRig();
    const send = exactClient(rig.url);
    for (const root of surfaces.map((surface) => surface.replaceAll('NAME', 'image'))) {
      for (const operation of operations) {
        for (const method of ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
          const reply = await send({ method, path: `${root}/images/${operation}`, headers: key });
          expect([root, method, reply.status, reply.headers.allow]).toEqual([root, method, 405, 'POST']);
          expect(method === 'HEAD' ? reply.text : errorOf(reply).code).toBe(
            method === 'HEAD' ? '' : 'method_not_allowed',
          );
        }
      }
    }
  });
});

describe('a path that is not served', () => {
  test('is a 404 that names the nearest one, before key, body and type are looked at', async () => {
    const rig = await startRig();
    const send = exactClient(rig.url);
    for (const headers of [json, {}, { ...key, 'content-type': 'text/plain' }]) {
      const path = '/v1/images/generations/images/generations?api-key=canary';
      const reply = await send({ method: 'POST', path, headers, body: '{' });
      expect(codeOf(reply)).toEqual([404, 'unknown_url']);
      expect(errorOf(reply).message).toBe(
        'Unknown URL: POST /v1/images/generations/images/generations. Did you mean /v1/images/generations?',
      );
    }
    await expect.poll(() => requestLines(rig).length).toBe(3);
    expect(new Set(requestLines(rig).map(({ route }) => route))).toEqual(new Set(['unknown']));
  });

  test('is shown as it came, without a host and its password', async () => {
    const send = exactClient((await startRig()).url);
    for (const path of [
      '/openai/deployments//images/edits',
      'http://user:canary@gateway/openai/deployments//images/edits',
    ]) {
      const { message } = errorOf(await send({ method: 'POST', path, headers: key }));
      expect(message).toMatch(
        /^Unknown URL: POST \/openai\/deployments\/\/images\/edits\. Did you mean .*\/v1\/images\/edits\?$/,
      );
    }
  });

  test('of a chat gets an error that says that images are served here', async () => {
    const send = exactClient((await startRig()).url);
    for (const root of ['', '/v1', '/openai', '/openai/v1', '/openai/deployments/image', '/m/image/v1']) {
      for (const end of ['chat/completions', 'completions', 'embeddings']) {
        const reply = await send({ method: 'POST', path: `${root}/${end}?api-version=v1`, headers: json, body: '{}' });
        expect([root, end, ...codeOf(reply)]).toEqual([root, end, 404, 'unknown_url']);
        expect(errorOf(reply).message).toContain('This gateway serves images only: use /v1/images/generations');
      }
    }
  });
});

describe('the routes', () => {
  // Whatever is added here is reachable for everybody who reaches the port, so it has to be meant.
  const open = ['/', '/healthz', '/readyz', '/openapi.json'];
  const known = [
    ...open,
    '/metrics',
    '/v1/spend',
    '/v1/targets',
    '/v1/images/files/:id',
    '/openai/images/generations:submit',
    '/m/:model/openai/images/generations:submit',
    '/openai/operations/images/:id',
    '/m/:model/openai/operations/images/:id',
    ...surfaces.flatMap((root) =>
      ['generations', 'edits', 'variations', 'generations/async', 'edits/async'].map(
        (operation) => `${patternOf(root)}/images/${operation}`,
      ),
    ),
    ...modelSurfaces.flatMap((root) => [`${patternOf(root)}/models`, `${patternOf(root)}/models/*`]),
    ...modelSurfaces.flatMap((root) =>
      ['', '/:id', '/:id/cancel', '/:id/input_items'].map((rest) => `${patternOf(root)}/responses${rest}`),
    ),
    ...modelSurfaces.flatMap((root) =>
      ['jobs', 'jobs/:id', 'jobs/:id/cancel', 'jobs/:id/content', 'tasks/:id'].map(
        (end) => `${patternOf(root)}/images/${end}`,
      ),
    ),
  ];
  const isPublic = (pattern: string) => open.includes(pattern) || pattern === '/v1/images/files/:id';

  async function startWithFiles(): Promise<StartedGateway> {
    const { store } = await startStore();
    return startRig({ store });
  }

  test('are these, and no others', async () => {
    const { server } = (await startWithFiles()).app;
    // The tree has the slash before a wildcard with neither of the two.
    const drawn = known.map((route) => route.replace('/*', '*'));
    expect(routesOf(server.printRoutes({ commonPrefix: false })).toSorted()).toEqual(drawn.toSorted());
  });

  test('want a key, by any method and in any spelling, except for health, the OpenAPI document and hosted images', async () => {
    const { url } = await startWithFiles();
    const send = exactClient(url);
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'];
    for (const pattern of known.filter((route) => !isPublic(route))) {
      const path = pattern.replace(':deployment', 'image').replace(':model', 'a/b').replace('*', 'image');
      for (const method of methods) {
        const reply = await send({ method, path });
        expect([method, path, reply.status]).toEqual([method, path, 401]);
      }
      for (const spelled of [
        `${path}/`,
        path.replaceAll('/', '//'),
        path.replace(/[a-z]/g, (letter) => `%${letter.charCodeAt(0).toString(16)}`),
        `${path}?api-key=${gatewayKey}`,
        `http://user:${gatewayKey}@gateway${path}`,
        `${path}#fragment`,
      ]) {
        for (const method of ['GET', 'POST']) {
          const { status } = await send({ method, path: spelled });
          expect([spelled, [401, 404].includes(status)]).toEqual([spelled, true]);
        }
      }
    }
  });

  test('without a key are health, the OpenAPI document and hosted images, which tell nothing', async () => {
    const send = exactClient((await startWithFiles()).url);
    for (const path of open) expect((await send({ path })).status).toBe(200);
    for (const path of ['/v1/images/files/abc', '/v1/images/files/..%2F..', '/nothing']) {
      expect(codeOf(await send({ path }))).toEqual([404, 'unknown_url']);
    }
  });

  test('fuzz: no target gets a response with a redirect, unrequested content or a new name in the log', async () => {
    const upstream = await startUpstream((_request, response) => {
      response.end(JSON.stringify({ created: 1, data: [{ b64_json: tinyPng }] }));
    });
    const target = { provider: 'azure-v1', model: 'gpt-image-2', baseURL: upstream.origin, apiKey: 'k' };
    const { store } = await startStore();
    const models = { defaultModel: 'image', models: { image: target } };
    const gateway = await startGateway(models, { store });
    const send = exactClient(gateway.url);
    const part = fc.constantFrom(
      ...[
        'v1',
        'openai',
        'm',
        'deployments',
        'images',
        'models',
        'generations',
        'edits',
        'variations',
        'files',
        'image',
      ],
      ...['', '', '.', '..', '%2e%2e', '%2F', '%5C', '\\', '%00', '%zz', '%', ':submit', 'generations%3asubmit'],
      ...['a%2Fb', '%25', '%E9', 'é', '*', ';x=y', '#', '@', '//', 'http:', 'metrics', 'healthz', 'readyz'],
    );
    const end = fc.constantFrom('images/generations', 'images//edits', 'images/variations/', 'models', 'models/image');
    const path = fc.oneof(
      fc.array(part, { maxLength: 9 }).map((parts) => `/${parts.join('/')}`),
      fc
        .tuple(fc.constantFrom(...surfaces), end, fc.array(part, { maxLength: 2 }))
        .map(([root, end, parts]) => `${[root.replaceAll('NAME', 'image'), end, ...parts].join('/')}`),
    );
    const method = fc.constantFrom('GET', 'POST', 'HEAD', 'OPTIONS', 'DELETE');
    await fc.assert(
      fc.asyncProperty(path, method, fc.boolean(), async (target, method, isKnown) => {
        const headers = { 'content-type': 'application/json', ...(isKnown && key) };
        const body = method === 'POST' ? { body: '{"prompt":"a cat"}' } : {};
        const { status, headers: given, text } = await send({ method, path: target, headers, ...body });
        expect(status < 300 || status >= 400).toBe(true);
        expect(status).toBeLessThan(500);
        expect(given.location).toBeUndefined();
        if (status >= 400 && method !== 'HEAD') expect(errorOf({ status, headers: given, text }).code).toMatch(/\w/);
        if (!isKnown && status < 400) expect(text).toMatch(/^(?:ok|\{"status":"ready"\})?$/);
      }),
      { numRuns: 1500 },
    );
    await expect.poll(() => gateway.app.gateway.inFlight).toBe(0);
    const logged = new Set(requestLines(gateway).map(({ route }) => String(route).replace('::', ':')));
    expect([...logged].filter((route) => !known.includes(route))).toEqual(['unknown']);
    expect(logged.size).toBeGreaterThan(20);
  });
});

function patternOf(surface: string): string {
  return surface.replace('/m/NAME', '/m/:model').replace('/deployments/NAME', '/deployments/:deployment');
}

/** The paths of Fastify's tree of routes. */
function routesOf(tree: string): string[] {
  const parents: string[] = [];
  const paths: string[] = [];
  for (const line of tree.split('\n')) {
    const [, indent = '', text = ''] = /^([│ ]*)[├└]── (.*)$/.exec(line) ?? [];
    const [, segment = '', methods] = /^(.*?)(?: \(([A-Z, ]+)\))?$/.exec(text) ?? [];
    if (segment === '') continue;
    parents.splice(indent.length / 4, parents.length, segment);
    if (methods !== undefined) paths.push(parents.join(''));
  }
  return [...new Set(paths)];
}
