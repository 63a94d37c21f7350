import { describe, expect, test } from 'vitest';
import { callGateway } from '../helpers/call-gateway.ts';
import { eventText } from '../helpers/event-text.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import { inWords, streamGateway } from './events.ts';
import { modelsFile, startUpstream, tinyPng, type Upstream } from './rig.ts';
import { startStore } from './store.ts';

const agent = {
  provider: 'foundry-agent',
  model: 'gpt-image-2',
  chatDeployment: 'chat',
  imageDeployment: 'images',
  apiKey: 'key',
  maxRetries: 0,
};

/** A gateway that hosts images, before an upstream that gives these pieces, each once the one before has gone out. */
async function startResponding(pieces: (isStream: boolean, isAgent: boolean) => readonly string[]) {
  const received: string[] = [];
  const upstream: Upstream = await startUpstream(async (request, response) => {
    received.push(request.url ?? '');
    const isAgent = request.url?.includes('responses') ?? false;
    for (const piece of pieces(isStream, isAgent)) await new Promise((done) => response.write(piece, done));
    response.end();
  });
  let isStream = false;
  const { store } = await startStore();
  const { models, ...file } = modelsFile(upstream.origin) as { models: object };
  const baseURL = upstream.origin;
  const gateway = await startGateway({ ...file, models: { ...models, agent: { ...agent, baseURL } } }, { store });
  return {
    received,
    json: (members: object = {}) => {
      isStream = false;
      return callGateway(gateway.url, { prompt: 'a cat', ...members });
    },
    stream: (members: object = {}) => {
      isStream = true;
      return streamGateway(gateway.url, { prompt: 'a cat', ...members });
    },
  };
}

const responseOf = (base64: string) => `{"created":1,"data":[{"b64_json":"${base64}"}]}`;
const agentResponseOf = (base64: string) =>
  `{"id":"r","status":"completed","output":[{"id":"i","type":"image_generation_call","result":"${base64}"}]}`;
const eventOf = (base64: string) =>
  eventText('image_generation.completed', { b64_json: 'HERE' }).replace('HERE', () => base64);

const damages: readonly [string, (base64: string) => string][] = [
  ['a control character', (base64) => base64.replace('ggg', 'g\u0000g')],
  ['URL-safe letters', (base64) => base64.replace('JRU5', 'J-U5')],
  ['no padding', (base64) => base64.replaceAll('=', '')],
  ['stray bits', (base64) => base64.replace('gg==', 'gh==')],
];

describe.each(damages)('an upstream whose base64 has %s', (_name, damage) => {
  test('gives a small image: an ordinary error, whatever is requested, and one paid call', async () => {
    const damaged = damage(tinyPng);
    expect(damaged).not.toBe(tinyPng);
    const rig = await startResponding((isStream, isAgent) => [
      isAgent ? agentResponseOf(damaged) : isStream ? eventOf(damaged) : responseOf(damaged),
    ]);
    const requested = [
      () => rig.json(),
      () => rig.json({ response_format: 'url' }),
      () => rig.json({ model: 'agent' }),
      () => rig.stream(),
    ];
    for (const [index, call] of requested.entries()) {
      const called = await call();
      expect([called.status, called.json().error.code]).toEqual([502, 'upstream_invalid_response']);
      expect(called.headers.get('x-should-retry')).toBe('false');
      expect(rig.received).toHaveLength(index + 1);
    }
  });

  test('gives a large one: its response breaks off, and a stream ends with an error event', async () => {
    const long = `${tinyPng.slice(0, 40)}${'QUJD'.repeat(64 * 1024)}`;
    const end = damage(tinyPng.slice(40));
    const split = (text: string) => [text.slice(0, 200_000), text.slice(200_000)];
    const rig = await startResponding((isStream, isAgent) =>
      split(isAgent ? agentResponseOf(long + end) : isStream ? eventOf(long + end) : responseOf(long + end)),
    );
    await expect(rig.json()).rejects.toThrow();
    await expect(rig.json({ model: 'agent' })).rejects.toThrow();
    const { status, events } = await rig.stream();
    expect([status, events.map(inWords)]).toEqual([200, ['error upstream_invalid_response']]);
    const hosted = await rig.json({ response_format: 'url' });
    expect([hosted.status, hosted.json().error.code]).toEqual([502, 'upstream_invalid_response']);
  });
});

describe.each(['javascript:alert(1)', 'file:///etc/passwd', `data:image/png;base64,${tinyPng}`])(
  'an upstream whose link is %s',
  (link) => {
    test('gives no image: an ordinary error, and one paid call', async () => {
      const item = JSON.stringify({ url: link });
      const rig = await startResponding((isStream) => [
        isStream ? eventText('image_generation.completed', { url: link }) : `{"data":[${item}]}`,
      ]);
      for (const call of [() => rig.json({ response_format: 'url' }), () => rig.json(), () => rig.stream()]) {
        const called = await call();
        expect([called.status, called.json().error.code]).toEqual([502, 'upstream_invalid_response']);
      }
      expect(rig.received).toHaveLength(3);
    });
  },
);

test('a stream whose events say last what they are: large images pass, each as what it is', async () => {
  const base64 = `${tinyPng.slice(0, 40)}${'QUJD'.repeat(512 * 1024)}`;
  const event = (type: string) =>
    `data: {"b64_json":"${base64}","partial_image_index":0,"type":"image_generation.${type}"}\n\n`;
  const rig = await startResponding(() => [event('partial_image'), event('completed')]);
  const { events } = await rig.stream({ partial_images: 1 });
  expect(events.map(inWords)).toEqual(['partial 0', 'completed']);
  expect(events.every(({ data }) => data.b64_json === base64)).toBe(true);
});
