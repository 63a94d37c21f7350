import { describe, expect, test } from 'vitest';
import { tinyPng } from '../fixtures/images.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { startGateway } from '../helpers/start-gateway.ts';
import {
  azureKey,
  everyProvider,
  type HostileAzure,
  providers,
  type Stranger,
  sendJson,
  soon,
  startHostileAzure,
  startStranger,
} from './hostile-azure.ts';

// A credential goes to the configured origin, and to no other, whatever the upstream there says. undici's
// own redirects would take `api-key` along to the other host.

/** Where a hostile response points to: another host, in every way in which one can be written. */
function elsewhere({ port }: Stranger, azure: HostileAzure, path: string): string[] {
  return [
    `http://127.0.0.1:${port}${path}`,
    `http://localhost:${port}${path}`,
    `https://127.0.0.1:${port}${path}`,
    `http://[::ffff:127.0.0.1]:${port}${path}`,
    `http://2130706433:${port}${path}`,
    `//127.0.0.1:${port}${path}`,
    `\\\\127.0.0.1:${port}${path}`,
    `/\\127.0.0.1:${port}${path}`,
    `http:\\\\127.0.0.1:${port}${path}`,
    `http://127.0.0.1:${azure.port}@127.0.0.1:${port}${path}`,
    `http://user:password@127.0.0.1:${port}${path}`,
    `HTTP://127.0.0.1:${port}${path}#@127.0.0.1:${azure.port}`,
    ` http://127.0.0.1:${port}${path}`,
    `ftp://127.0.0.1:${port}${path}`,
    `http://127.0.0.1.:${port}${path}`,
  ];
}

async function startRig() {
  const [azure, stranger] = await Promise.all([startHostileAzure(), startStranger()]);
  const gateway = await startGateway(everyProvider(azure.origin));
  return { azure, stranger, ...gateway };
}

/** What is paid for is polled and fetched until the deadline. */
const brief = { headers: { 'x-gateway-timeout-ms': '3000' } };

/** Every status with a place, and every place with a status. */
function redirectsTo(places: readonly string[]): [number, string][] {
  const most = Math.max(places.length, redirects.length);
  return Array.from({ length: most }, (_, at) => [
    redirects[at % redirects.length] as number,
    places[at % places.length] as string,
  ]);
}

let prompts = 0;

/** Equal requests would get the outcome of the one before. */
const another = () => `canary ${++prompts}`;

const redirects = [300, 301, 302, 303, 304, 305, 307, 308];

/** Redirects are responses like any other, and no success. */
const refusedOrUnknown = /^(?:upstream_misconfigured|upstream_outcome_unknown|upstream_invalid_response)$/;

describe('a redirect', () => {
  test.each(providers)('of the paid call of %s is not followed', async (model) => {
    const { azure, stranger, url } = await startRig();
    for (const [status, location] of redirectsTo([
      ...elsewhere(stranger, azure, '/openai'),
      '/openai/elsewhere',
      'elsewhere',
    ])) {
      azure.respond = (_request, response) =>
        void response.writeHead(status, { location, refresh: `0; url=${location}` }).end();
      const before = azure.requests.length;
      const reply = await callGateway(url, { model, prompt: another() });
      expect([status, location, reply.status]).toEqual([status, location, 502]);
      expect(reply.json().error.code).toMatch(refusedOrUnknown);
      expect(azure.requests.slice(before).map(({ method }) => method)).toEqual(['POST']);
    }
    expect(azure.requests[0]?.headers['api-key']).toBe(azureKey);
    expect(stranger.connections).toBe(0);
  });

  type Rig = Awaited<ReturnType<typeof startRig>>;

  /** Each redirect has a rig of its own, because all of them are played at once: each one takes until its deadline. */
  async function playAll(
    placesIn: (rig: Rig) => readonly string[],
    play: (rig: Rig, status: number, location: string) => Promise<void>,
  ): Promise<void> {
    const { length } = redirectsTo(placesIn(await startRig()));
    const playOne = async (at: number) => {
      const rig = await startRig();
      await play(rig, ...(redirectsTo(placesIn(rig))[at] as [number, string]));
      expect(rig.stranger.connections).toBe(0);
    };
    await Promise.all(Array.from({ length }, (_, at) => playOne(at)));
  }

  test.each(['async', 'background'])('of a poll of %s is not followed', async (model) => {
    const placesIn = ({ stranger, azure }: Rig) => elsewhere(stranger, azure, '/openai/operations/images/1');
    await playAll(placesIn, async ({ azure, url }, status, location) => {
      azure.respond = (request, response) => {
        if (request.method === 'GET') response.writeHead(status, { location }).end();
        else begin(response, azure.origin);
      };
      const reply = await callGateway(url, { model, prompt: another() }, brief);
      expect(reply.status).toBeGreaterThanOrEqual(502);
      expect(reply.json().error.code).toMatch(refusedOrUnknown);
      // A job in the background is cancelled; that is a call to the configured origin, too.
      const polls = azure.requests.filter(({ method }) => method === 'GET');
      expect(new Set(polls.map(({ headers }) => headers['api-key']))).toEqual(new Set([azureKey]));
    });
  });

  test('of an image that is downloaded is not followed', async () => {
    const placesIn = ({ stranger, azure }: Rig) => [...elsewhere(stranger, azure, '/b.png'), '/b.png'];
    await playAll(placesIn, async ({ azure, url }, status, location) => {
      azure.respond = (request, response) => {
        if (request.url?.endsWith('.png')) response.writeHead(status, { location }).end();
        else if (request.method === 'GET') succeed(response, `${azure.origin}/a.png`);
        else begin(response, azure.origin);
      };
      const body = { model: 'async', prompt: another(), response_format: 'b64_json' };
      const reply = await callGateway(url, body, brief);
      expect([reply.status, reply.json().error.code]).toEqual([502, 'upstream_result_unavailable']);
      const downloads = azure.requests.filter(({ path }) => path.endsWith('.png'));
      expect(new Set(downloads.map(({ path }) => path))).toEqual(new Set(['/a.png']));
      for (const { headers } of downloads) expect(JSON.stringify(headers)).not.toContain(azureKey);
    });
  });
});

type Sent = Parameters<typeof sendJson>[0];

/** The beginning of a job, in the words of both protocols that have some. */
function begin(response: Sent, origin: string, operation = `${origin}/openai/operations/images/1`): void {
  response
    .writeHead(202, { 'content-type': 'application/json', 'operation-location': operation, ...soon })
    .end(JSON.stringify({ id: 'resp_1', status: 'queued', output: [] }));
}

function succeed(response: Sent, link: string): void {
  sendJson(response, { status: 'succeeded', result: { created: 1, data: [{ url: link }] } }, soon);
}

describe('operation-location', () => {
  test('names another host in any way: the configured one is called, or nobody', async () => {
    const { azure, stranger, url } = await startRig();
    const path = '/openai/operations/images/1';
    for (const location of elsewhere(stranger, azure, path)) {
      azure.respond = (request, response) => {
        if (request.method === 'POST') begin(response, azure.origin, location);
        else succeed(response, `${azure.origin}/a.png`);
      };
      const before = azure.requests.length;
      await callGateway(url, { model: 'async', prompt: another() });
      const polled = azure.requests.slice(before).filter(({ method }) => method === 'GET');
      expect([location, polled.every((poll) => poll.path === path)]).toEqual([location, true]);
    }
    expect(azure.requests.filter(({ method }) => method === 'GET').length).toBeGreaterThan(5);
    expect(stranger.connections).toBe(0);
  });

  test.each([
    '/admin/1',
    '/openai/../admin/1',
    '/openai/%2e%2e/admin/1',
    '/openai\\..\\admin\\1',
    '/openai//127.0.0.1/1',
    '/openai/operations/images/',
    '?x=1',
    '',
  ])('leads to %j of the configured origin: nothing is requested there, but the job by its id', async (path) => {
    const { azure, url } = await startRig();
    azure.respond = (_request, response) => begin(response, azure.origin, `${azure.origin}${path}`);
    const reply = await callGateway(url, { model: 'async', prompt: another() }, brief);
    // Polls end a moment before the deadline, which may come first on a busy machine.
    expect([502, 504]).toContain(reply.status);
    expect(reply.json().error.code).toBe('upstream_outcome_unknown');
    const polled = azure.requests.filter(({ method }) => method === 'GET').map(({ path: polledPath }) => polledPath);
    expect(new Set(polled)).toEqual(new Set(['/openai/operations/images/resp_1?api-version=2023-06-01-preview']));
  });
});

describe('the id of a job in the background', () => {
  test('leads nowhere but below the Responses API', async () => {
    const { azure, stranger, url } = await startRig();
    const ids = [
      ...elsewhere(stranger, azure, '/x'),
      ...['../../admin', '..', '.', '%2e%2e', 'a/b', 'a?b', 'a#b', '@127.0.0.1', 'a\\b', '', 'a\r\nhost: x', 'a b'],
    ];
    for (const id of ids) {
      azure.respond = (request, response) => {
        if (request.method === 'POST') sendJson(response, { id, status: 'queued', output: [] }, soon);
        else sendJson(response, {}, soon);
      };
      const reply = await callGateway(url, { model: 'background', prompt: another() });
      expect([id, reply.status]).toEqual([id, 502]);
    }
    expect(azure.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(
      ids.map(() => 'POST /openai/v1/responses'),
    );
    expect(stranger.connections).toBe(0);
  });
});

describe('the link of an image', () => {
  test.each(['async', 'deployment', 'v1'])(
    'of %s to a host that nobody has configured is not fetched',
    async (model) => {
      const { azure, stranger, url } = await startRig();
      for (const link of elsewhere(stranger, azure, '/a.png')) {
        azure.respond = (request, response) => {
          if (model !== 'async') sendJson(response, { created: 1, data: [{ url: link }] });
          else if (request.method === 'GET') succeed(response, link);
          else begin(response, azure.origin);
        };
        const reply = await callGateway(url, { model, prompt: another(), response_format: 'b64_json' });
        expect([link, reply.status]).toEqual([link, 502]);
      }
      expect(stranger.connections).toBe(0);
    },
  );

  test('at the configured origin is fetched without a credential', async () => {
    const { azure, url } = await startRig();
    azure.respond = (request, response) => {
      if (request.url === '/a.png?sig=signature-canary') response.end(Buffer.from(tinyPng, 'base64'));
      else if (request.method === 'GET') succeed(response, `${azure.origin}/a.png?sig=signature-canary`);
      else begin(response, azure.origin);
    };
    const reply = await callGateway(url, { model: 'async', prompt: another(), response_format: 'b64_json' });
    expect([reply.status, reply.json().data[0]?.b64_json]).toEqual([200, tinyPng]);
    const names = Object.keys(azure.requests.at(-1)?.headers ?? {}).sort();
    expect(names).toEqual(['accept', 'accept-encoding', 'connection', 'host', 'user-agent']);
  });
});

test('a stranger counts who comes: that nobody came means something', async () => {
  const stranger = await startStranger();
  await fetch(`http://127.0.0.1:${stranger.port}/`);
  expect(stranger.connections).toBe(1);
});
