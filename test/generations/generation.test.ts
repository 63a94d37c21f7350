import { describe, expect, test } from 'vitest';
import type { ImageEvent } from '../../src/domain/image-event.ts';
import type { ImageProvider, ProviderCall } from '../../src/domain/image-provider.ts';
import type { ImageRequest } from '../../src/domain/image-request.ts';
import type { Recorder } from '../../src/domain/recorder.ts';
import { Admission } from '../../src/generations/admission.ts';
import { createGateway } from '../../src/generations/gateway.ts';
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
async function start(answers: ((call: ProviderCall) => Promise<AsyncIterable<ImageEvent>>)[], timeoutMs = 60_000) {
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
  });
  const generation = await gateway.start(undefined, request, { id: 'somebody', isRetry: false, bodyBytes: 0 });
  return { generation, ends };
}

const answered = async () => asStream(image);

describe('a generation of several calls that may deliver a part', () => {
  test('whose deadline comes while one call is silent ends with it, not with images that can no longer come', async () => {
    const { generation, ends } = await start([answered, silent, answered], 50);
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
