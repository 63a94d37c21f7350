import { describe, expect, test } from 'vitest';
import type { GenerationReader } from '../../src/domain/generation-reader.ts';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { ImageProvider, ProviderCall } from '../../src/domain/image-provider.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { Recorder } from '../../src/domain/recorder.ts';
import { Admission } from '../../src/generations/admission.ts';
import { createGateway } from '../../src/generations/gateway.ts';
import { InFlight } from '../../src/generations/in-flight.ts';
import { modelFamily } from '../../src/parameters/model-families.ts';
import { createModelCatalog } from '../../src/targets/model-catalog.ts';
import { TargetHealth } from '../../src/targets/target-health.ts';
import { defaultTimes } from '../../src/targets/times.ts';
import { asStream } from '../helpers/json-text.ts';

const request = { prompt: 'a cat', count: 3, stream: false, partialImages: 0, extra: {} } as unknown as ImageRequest;
const image: ImageEvent[] = [{ type: 'url', index: 0, url: 'https://blob.example/1' }, { type: 'done' }];

/** Never answers; like a real upstream call, it ends with the signal's reason. */
const silent = ({ signal }: ProviderCall) =>
  new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason)));

/** A generation of three calls, of which each is answered by one of `answers`. */
async function start(
  answers: ((call: ProviderCall) => Promise<AsyncIterable<ImageEvent>>)[],
  { timeoutMs = 60_000, count = 3, inFlight = new InFlight(0) } = {},
) {
  const ends: string[] = [];
  const recorder: Recorder = {
    anomaly: () => {},
    retryArrived: () => {},
    unknownRepeated: () => {},
    generationEnded: () => {},
    attemptEnded: ({ end }) => ends.push(end),
  };
  const provider: ImageProvider = {
    id: 'azure-deployment',
    operations: ['generate'],
    generate: (_request, call) => {
      call.attempt.sent = true;
      return (answers.shift() as (call: ProviderCall) => Promise<AsyncIterable<ImageEvent>>)(call);
    },
  };
  const target = {
    name: '1',
    priority: 0,
    weight: 1,
    family: modelFamily('dall-e-3'),
    upstreamStream: 'never' as const,
    provider,
    calls: [],
    health: new TargetHealth(10, defaultTimes),
    download: () => Promise.reject(new Error('nothing is downloaded here')),
  };
  const model = {
    name: 'image',
    timeoutMs,
    defaults: {},
    parameters: 'adapt' as const,
    partialSuccess: 'deliver' as const,
    maxRetries: 0,
    onUnknownOutcome: 'stop' as const,
    targets: [target],
  };
  const gateway = createGateway({
    catalog: createModelCatalog({ models: [model], aliases: new Map(), defaultModel: 'image' }),
    admission: new Admission({ inFlight: 10, heldBytes: 1e9, queueMs: 1_000 }),
    recorder,
    hosting: { place: undefined },
    times: { ...defaultTimes, lingerMs: 0 },
    inFlight,
  });
  const generation = await gateway.start(
    undefined,
    { ...request, count },
    { id: 'somebody', isRetry: false, bodyBytes: 0 },
  );
  return { generation, ends };
}

const answered = async () => asStream(image);

describe('a generation of several calls that may deliver a part', () => {
  test('whose deadline comes while one call is silent ends with it, not with images that can no longer come', async () => {
    const { generation, ends } = await start([answered, silent, answered], { timeoutMs: 50 });
    await expect(generation.events).rejects.toMatchObject({ kind: 'upstream_timeout', outcome: 'unknown' });
    expect(ends).toEqual(['abandoned', 'unknown', 'abandoned']);
  });

  test('whose caller leaves ends with that, and counts what may have been billed', async () => {
    const { generation, ends } = await start([answered, silent, answered]);
    // The calls have been sent by then.
    await new Promise(setImmediate);
    generation.leave();
    await expect(generation.events).rejects.toMatchObject({ kind: 'client_gone' });
    expect(ends).toEqual(['abandoned', 'abandoned', 'abandoned']);
  });

  test('delivers the calls that succeeded, and is counted once when it is settled twice', async () => {
    const failing = () => Promise.reject(new Error('broken'));
    const { generation, ends } = await start([answered, failing, answered]);
    const events = await Array.fromAsync(await generation.events);
    expect(events.map(({ type }) => type)).toEqual(['url', 'url', 'done']);
    generation.settle('delivered');
    generation.settle('truncated');
    expect(ends).toEqual(['delivered', 'unknown', 'delivered']);
    expect(generation.report).toMatchObject({ attempts: 3, sent: true, adaptations: ['n=fan-out'] });
  });
});

describe('a generation with several readers', () => {
  const chunk = (text: string): ImageEvent => ({ type: 'bytes', chunk: Buffer.from(text) });
  const drawn: ImageEvent[] = [
    { type: 'image', index: 0, isPartial: false },
    ...['aaaa', 'bbbb', 'cccc'].map(chunk),
    { type: 'image-end', index: 0 },
    { type: 'done' },
  ];

  /** Two readers of one generation whose single call makes one image. */
  async function startTwo() {
    const inFlight = new InFlight(60_000);
    const started = await start([async () => asStream(drawn)], { count: 1, inFlight });
    const other = inFlight.find(started.generation.report.id)?.attach() as GenerationReader;
    return { ...started, other, inFlight };
  }
  const text = async (reader: GenerationReader) => {
    let all = '';
    for await (const event of await reader.events) if (event.type === 'bytes') all += event.chunk;
    return all;
  };

  test('gives each of them the whole image, and is settled by the last one', async () => {
    const { generation, other, ends, inFlight } = await startTwo();
    expect(await Promise.all([text(generation), text(other)])).toEqual(['aaaabbbbcccc', 'aaaabbbbcccc']);
    generation.settle('delivered');
    expect(ends).toEqual([]);
    other.settle('truncated');
    expect([ends, inFlight.running]).toEqual([['delivered'], 0]);
  });

  test('goes on for the one that stays when the other one disconnects amid the image', async () => {
    const { generation, other, ends } = await startTwo();
    const reading = text(other);
    for await (const event of await generation.events) if (event.type === 'bytes') break;
    generation.leave();
    generation.settle('abandoned');
    expect(await reading).toBe('aaaabbbbcccc');
    other.settle('delivered');
    expect(ends).toEqual(['delivered']);
  });

  test('goes on when one of them disconnects before there is an image, and ends with the last one', async () => {
    const { generation, other, ends, inFlight } = await startTwo();
    generation.leave();
    await expect(generation.events).rejects.toMatchObject({ kind: 'client_gone' });
    expect(await text(other)).toBe('aaaabbbbcccc');
    other.settle('delivered');
    expect([ends, inFlight.running, inFlight.store.orphans]).toEqual([['delivered'], 0, 0]);
  });

  test('is ended when all of them have disconnected amid the image', async () => {
    const { generation, other, ends } = await startTwo();
    const readers = [generation, other];
    const iterators = await Promise.all(readers.map(async (reader) => (await reader.events)[Symbol.asyncIterator]()));
    await Promise.all(iterators.map((iterator) => iterator.next()));
    generation.leave();
    expect(generation.signal.aborted).toBe(false);
    other.leave();
    expect(generation.signal.reason).toMatchObject({ kind: 'client_gone' });
    for (const reader of readers) reader.settle('abandoned');
    expect(ends).toEqual(['abandoned']);
  });
});
