import sharp from 'sharp';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type ScenarioDescription, scenarios } from '../../simulator/scenarios.ts';
import { type Caller, json, openCaller, type ReceivedResponse } from './call-simulator.ts';
import { fields, formHeaders, writeForm } from './write-form.ts';

let caller: Caller;
beforeAll(async () => {
  caller = await openCaller({ quotas: [{ requests: 1, windowMs: 60_000, deployments: ['FLUX.2-pro-scarce'] }] });
});
beforeEach(() => caller.simulator.ledger.reset());
afterAll(() => caller.close());

const red = await sharp({ create: { width: 800, height: 800, channels: 3, background: '#f00' } })
  .png()
  .toBuffer();
const table: readonly ScenarioDescription[] = scenarios;
const named = (reaches: readonly string[]) => table.filter(({ reach }) => reaches.includes(reach));

type Play = (scenario: string, prompt?: string) => Promise<ReceivedResponse>;

const mai = (model: string, prompt: string) => caller.call('POST', '/mai/v1/images/generations', { model, prompt });
const flux = (model: string, members: object) =>
  caller.call('POST', '/providers/blackforestlabs/v1/flux-2-pro?api-version=preview', { model, ...members });

const flows: Readonly<Record<string, Play>> = {
  'a generation of MAI-Image': (scenario, prompt = 'a cat') => mai(`MAI-Image-2.6--${scenario}`, prompt),
  'an edit of MAI-Image': (scenario, prompt = 'a cat') => {
    const image = { name: 'image', bytes: red, filename: 'a.png', type: 'image/png' };
    const form = [...fields({ model: `MAI-Image-2.6--${scenario}`, prompt }), image];
    return caller.send('/mai/v1/images/edits', formHeaders, writeForm(form));
  },
  'a generation of FLUX': (scenario, prompt = 'a cat') => flux(`FLUX.2-pro--${scenario}`, { prompt }),
  'references of FLUX': (scenario, prompt = 'a cat') =>
    flux(`FLUX.2-pro--${scenario}`, { prompt, input_image: red.toString('base64') }),
};

/** Status, content type and the outline of the body; or that it was cut. */
async function outcomeOf(call: Promise<ReceivedResponse>): Promise<unknown> {
  try {
    const { status, headers, bytes } = await call;
    return [status, headers['content-type'], headers.location !== undefined, shapeOf(bytes.toString())];
  } catch {
    return 'cut';
  }
}

// Members and codes are in the flow's own words: see the tests below.
function shapeOf(text: string): unknown {
  try {
    const { data, error } = JSON.parse(text);
    return { items: data?.map((item: object) => Object.keys(item)), hasError: error !== undefined };
  } catch {
    return text.length === 0 ? 'empty' : text[0];
  }
}

describe.each(Object.entries(flows))('%s', (_name, play) => {
  const playable = named(['all', 'synchronous'])
    .filter(({ name }) => name !== 'hang')
    .map(({ name, value }) => (value?.unit === 'milliseconds' ? `${name}-5` : name));

  test.each(playable)('does in %s what the image API does', async (scenario) => {
    const expected = await outcomeOf(caller.generate(`gpt-image-2--${scenario}`, { prompt: 'a cat' }));
    const { billed } = caller.simulator.ledger.counts();
    expect(await outcomeOf(play(scenario))).toEqual(expected);
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 2 * billed, received: 2 });
  });

  test.each(named(['legacy', 'gpt-image', 'edit', 'stream', 'agent', 'download']).map(({ name }) => name))(
    'has no %s',
    async (scenario) => {
      const response = await play('none', `a cat simulate:${scenario}`);
      expect([response.status, json(response).error.code]).toEqual([400, 'scenario_out_of_reach']);
      expect(caller.simulator.ledger.counts().billed).toBe(0);
    },
  );

  test('knows no other scenario', async () => {
    expect(json(await play('flood')).error.code).toBe('unknown_scenario');
  });

  test('makes a padded image that decodes', async () => {
    const [item] = json(await play('big-9')).data;
    const bytes = Buffer.from(item.b64_json, 'base64');
    expect(bytes.length).toBeGreaterThan(9 * 1024 * 1024);
    expect((await sharp(bytes).metadata()).width).toBeGreaterThan(700);
  });

  test('hangs after it was billed', async () => {
    const gone = play('hang').catch(() => 'gone');
    await expect.poll(() => caller.simulator.ledger.counts().billed).toBe(1);
    expect(await Promise.race([gone, 'silent'])).toBe('silent');
  });

  test('has the headers of Azure', async () => {
    const { headers } = await play('none');
    expect(headers).toMatchObject({
      'apim-request-id': expect.any(String),
      'x-ms-region': expect.any(String),
      'x-ms-deployment-name': expect.stringMatching(/--none$/),
    });
  });
});

describe('the errors of MAI-Image', () => {
  test.each(['filter-policy', 'filter-inner', 'moderation-blocked', 'filter-200-task', 'filter-200-image'])(
    'for %s have one code',
    async (scenario) => {
      const { error, ...others } = json(await mai(`MAI-Image-2.5--${scenario}`, 'a cat'));
      expect([error, others]).toEqual([{ code: 'content_safety_violation', message: expect.any(String) }, {}]);
    },
  );

  test('for an item have it, too', async () => {
    const { data } = json(await mai('MAI-Image-2.5--filter-item', 'a cat'));
    expect(data).toEqual([{ error: { code: 'content_safety_violation', message: expect.any(String) } }]);
  });

  test.each(['unknown-parameter', 'invalid-size'])('for %s are those of a bad value', async (scenario) => {
    const { error } = json(await mai(`MAI-Image-2.5--${scenario}`, 'a cat'));
    const text = expect.stringMatching(/'(seed|size)'/);
    expect(error).toEqual({ code: 'unsupported_request_value', message: text, details: text });
  });
});

describe('calls to models of other makers', () => {
  test('count against the quota of their deployment', async () => {
    const [first, second] = [
      await flux('FLUX.2-pro-scarce', { prompt: 'a cat' }),
      await flux('FLUX.2-pro-scarce', { prompt: 'a cat' }),
    ];
    expect([first.status, second.status]).toEqual([200, 429]);
    expect(Number(second.headers['retry-after'])).toBeGreaterThan(0);
  });

  test('accept a key in either header, or a token of either scope, and all that are sent must be right', async () => {
    const { identityHeader } = caller.simulator;
    const tokenFor = async (resource: string) => {
      const path = `/msi/token?api-version=2019-08-01&resource=${resource}`;
      return json(await caller.call('GET', path, undefined, { 'x-identity-header': identityHeader })).access_token;
    };
    const good = [
      { 'api-key': 'test-key' },
      { authorization: 'Bearer test-key' },
      { authorization: `Bearer ${await tokenFor('https://cognitiveservices.azure.com')}` },
      { authorization: `Bearer ${await tokenFor('https://ai.azure.com')}` },
    ];
    const bad = [
      {},
      { 'api-key': 'wrong' },
      { authorization: 'Bearer wrong' },
      { authorization: `Bearer ${await tokenFor('https://storage.azure.com')}` },
      { authorization: 'Bearer wrong', 'api-key': 'test-key' },
    ];
    for (const [target, model] of [
      ['/mai/v1/images/generations', 'MAI-Image-2.6'],
      ['/providers/blackforestlabs/v1/flux-2-pro?api-version=preview', 'FLUX.2-pro'],
    ] as const) {
      const statusOf = async (headers: Record<string, string>) =>
        (await caller.call('POST', target, { model, prompt: 'a cat' }, headers)).status;
      expect(await Promise.all(good.map(statusOf))).toEqual([200, 200, 200, 200]);
      expect(await Promise.all(bad.map(statusOf))).toEqual([401, 401, 401, 401, 401]);
    }
  });

  test.each(['', '?api-version=preview', '?api-version=2025-04-01-preview'])(
    'need no api-version for MAI-Image: %s',
    async (query) => {
      const body = { model: 'mai-image-2.6-flash', prompt: 'a cat' };
      expect((await caller.call('POST', `/mai/v1/images/generations${query}`, body)).status).toBe(200);
    },
  );

  test('are JSON, but for the edits of MAI-Image', async () => {
    for (const target of ['/mai/v1/images/generations', '/providers/blackforestlabs/v1/flux-2-pro']) {
      const response = await caller.send(target, formHeaders, writeForm(fields({ prompt: 'a cat' })));
      expect([target, response.status]).toEqual([target, 415]);
    }
  });

  test.each(['MAI-Image-2.6', 'mai-image-2.5-mine', 'FLUX.2-pro', 'flux.2-flex-mine'])(
    'find no %s at the paths of the image API',
    async (model) => {
      const image = { name: 'image', bytes: red, filename: 'a.png', type: 'image/png' };
      const form = [...fields({ prompt: 'a cat' }), image];
      const v1Form = writeForm([...fields({ model, prompt: 'a cat' }), image]);
      const responses = await Promise.all([
        caller.generate(model, { prompt: 'a cat' }, 'preview'),
        caller.call('POST', '/openai/v1/images/generations', { model, prompt: 'a cat' }),
        caller.edit(model, form, 'preview'),
        caller.send('/openai/v1/images/edits', formHeaders, v1Form),
      ]);
      const nothing = { error: { code: '404', message: 'Resource not found' } };
      expect(responses.map((response) => [response.status, json(response)])).toEqual(Array(4).fill([404, nothing]));
      expect(caller.simulator.ledger.counts().billed).toBe(0);
    },
  );

  test('are for models in the list, which costs nothing', async () => {
    const { data } = json(await caller.call('GET', '/openai/v1/models'));
    expect(data.map(({ id }: { id: string }) => id)).toEqual(
      expect.arrayContaining(['MAI-Image-2.6', 'MAI-Image-2.6-Flash', 'MAI-Image-2.5', 'FLUX.2-pro', 'FLUX.2-flex']),
    );
    expect(caller.simulator.ledger.counts()).toMatchObject({ billed: 0, received: 0 });
  });
});
