import type { ResponseStreamEvent } from 'openai7/resources/responses/responses';
import { expect } from 'vitest';
import { collect } from '../openai/collect.ts';
import type { Sdk } from '../openai/sdk.ts';
import { expectOnePaid } from '../rig.ts';
import { expectEvents, keptOf } from './response-events.ts';
import { callIn, startResponsesRig } from './response-image.ts';
import type { ResponsesSuite } from './responses-matrix.ts';

const withPartials = (partial_images: number) => ({
  model: 'image',
  input: 'a cat',
  tools: [{ type: 'image_generation' as const, partial_images }],
});

/** Checks of streams: new ones, and those that are read again. */
export function streamChecks({ connect }: Pick<Sdk, 'connect'>) {
  return {
    stream: {
      async 'with two partial images'() {
        const rig = await startResponsesRig();
        const { responses } = connect(rig.url);
        const events = await collect(await responses.create({ ...withPartials(2), stream: true }));
        const response = await expectEvents(events, 2);
        expect(await responses.retrieve(response.id)).toMatchObject(response);
        expectOnePaid(rig);
      },
      async 'without partial images, and without a tool'() {
        const rig = await startResponsesRig();
        const request = { model: 'image', input: 'a cat', stream: true } as const;
        await expectEvents(await collect(await connect(rig.url).responses.create(request)), 0);
        expectOnePaid(rig);
      },
    },

    helper: {
      async 'of a new response'() {
        const rig = await startResponsesRig();
        const { responses } = connect(rig.url);
        const stream = responses.stream(withPartials(1));
        const events = await collect(stream as AsyncIterable<ResponseStreamEvent>);
        expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, at) => at));
        const final = await stream.finalResponse();
        expect(callIn(final)).toEqual(callIn(await responses.retrieve(final.id)));
        expectOnePaid(rig);
      },
      async 'of a response that is stored'() {
        const rig = await startResponsesRig();
        const { responses } = connect(rig.url);
        const made = await responses.create({ model: 'image', input: 'a cat' });
        const stream = responses.stream({ response_id: made.id, starting_after: 3 });
        const events = await collect(stream as AsyncIterable<ResponseStreamEvent>);
        expect(events[0]).toMatchObject({ type: 'response.image_generation_call.generating', sequence_number: 4 });
        expect(callIn(await stream.finalResponse())).toEqual(callIn(made));
        expectOnePaid(rig);
      },
    },

    resume: {
      async 'after each event, with the same numbers'() {
        const rig = await startResponsesRig();
        const { responses } = connect(rig.url);
        const events = await collect(await responses.create({ ...withPartials(2), stream: true }));
        const { id } = await expectEvents(events, 2);
        const kept = keptOf(events);
        expect(await collect(await responses.retrieve(id, { stream: true }))).toEqual(kept);
        for (const { sequence_number: starting_after } of events) {
          const rest = await collect(await responses.retrieve(id, { stream: true, starting_after }));
          expect(rest).toEqual(kept.filter(({ sequence_number }) => sequence_number > starting_after));
        }
        expectOnePaid(rig);
      },
      async 'after its client has left in the middle'() {
        const rig = await startResponsesRig();
        const { responses } = connect(rig.url);
        const read: ResponseStreamEvent[] = [];
        for await (const event of await responses.create({ ...withPartials(1), background: true, stream: true })) {
          read.push(event);
          if (event.type === 'response.image_generation_call.in_progress') break;
        }
        const [created] = read;
        if (created?.type !== 'response.created') throw new Error('the stream did not begin');
        const { id } = created.response;
        const after = { stream: true, starting_after: read.length - 1 } as const;
        const rest = await collect(await responses.retrieve(id, after));
        const whole = await collect(await responses.retrieve(id, { stream: true }));
        expect([...read, ...keptOf(rest)]).toEqual(whole);
        expectOnePaid(rig);
      },
    },
  } satisfies ResponsesSuite;
}
