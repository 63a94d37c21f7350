import type { Response } from 'openai7/resources/responses/responses';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { collect } from '../openai/collect.ts';
import type { OpenAIClient, Sdk } from '../openai/sdk.ts';
import { expectOnePaid, expectPaid } from '../rig.ts';
import { expectEvents } from './response-events.ts';
import { expectImageIn, startResponsesRig } from './response-image.ts';
import type { ResponsesSuite } from './responses-matrix.ts';

const asked = { model: 'image', input: 'a cat' } as const;
const inBackground = { ...asked, background: true } as const;

const isOpen = ({ status }: Response) => status === 'queued' || status === 'in_progress';

/** As OpenAI's documents poll; their pause is longer. */
async function ended(client: OpenAIClient, created: Response): Promise<Response> {
  let response = created;
  while (isOpen(response)) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    response = await client.responses.retrieve(response.id);
  }
  return response;
}

/** The method has another name before version 5. */
async function remove({ responses }: OpenAIClient, id: string): Promise<void> {
  const older = responses as unknown as { readonly del?: (id: string) => Promise<void> };
  await (older.del === undefined ? responses.delete(id) : older.del.call(responses, id));
}

/** Checks of responses that are kept: retrieved, made in the background, cancelled, deleted. */
export function storedChecks({ package: sdk, connect }: Pick<Sdk, 'package' | 'connect'>) {
  async function expectUnknown(call: PromiseLike<unknown>): Promise<void> {
    const error = await failure(call);
    expect(error).toBeInstanceOf(sdk.NotFoundError);
    expect(error).toMatchObject({ status: 404, code: 'job_not_found' });
  }

  return {
    async retrieve() {
      const rig = await startResponsesRig();
      const client = connect(rig.url);
      const made = await client.responses.create({ ...asked, metadata: { order: '4711' } });
      // Version 4 adds `output_text` to what it has created only.
      expect(made).toMatchObject(await client.responses.retrieve(made.id));
      await expectUnknown(client.responses.retrieve('resp_unknown'));
      expectOnePaid(rig);
    },

    background: {
      async polled() {
        const rig = await startResponsesRig();
        const client = connect(rig.url);
        const created = await client.responses.create(inBackground);
        expect(created).toMatchObject({ background: true, output: [], error: null });
        expect(isOpen(created)).toBe(true);
        const response = await ended(client, created);
        await expectImageIn(response);
        expect(response).toMatchObject({ id: created.id, background: true });
        expectOnePaid(rig);
      },
      async streamed() {
        const rig = await startResponsesRig();
        const stream = await connect(rig.url).responses.create({ ...inBackground, stream: true });
        await expectEvents(await collect(stream), 0);
        expectOnePaid(rig);
      },
      async 'that fails'() {
        const rig = await startResponsesRig();
        const client = connect(rig.url);
        const request = { ...inBackground, input: 'simulate:moderation-blocked' };
        const response = await ended(client, await client.responses.create(request));
        expect(response).toMatchObject({ status: 'failed', error: { code: 'moderation_blocked' }, output: [] });
        expectPaid(rig, { received: 1, billed: 0, images: 0 });
      },
    },

    async cancel() {
      const rig = await startResponsesRig({ inFlight: 1 });
      const client = connect(rig.url);
      const first = await client.responses.create({ ...inBackground, input: 'simulate:hang' });
      await expect.poll(() => rig.simulator.ledger.received).toBe(1);
      const { id, status } = await client.responses.create(inBackground);
      expect(status).toBe('queued');
      await client.responses.cancel(id);
      // Again, because a client cannot know whether its first call has arrived.
      await client.responses.cancel(id);
      expect(await client.responses.retrieve(id)).toMatchObject({ id, status: 'cancelled', output: [], error: null });
      const error = await failure(client.responses.cancel(first.id));
      expect(error).toBeInstanceOf(sdk.BadRequestError);
      expect(error).toMatchObject({ status: 400, code: 'job_not_cancellable' });
      expect(rig.simulator.ledger.received).toBe(1);
    },

    async remove() {
      const rig = await startResponsesRig();
      const client = connect(rig.url);
      const { id } = await client.responses.create(asked);
      await remove(client, id);
      await expectUnknown(client.responses.retrieve(id));
      await expectUnknown(remove(client, id));
      expectOnePaid(rig);
    },

    async notStored() {
      const rig = await startResponsesRig();
      const client = connect(rig.url);
      const made = await client.responses.create({ ...asked, store: false });
      await expectImageIn(made);
      expect(made).toMatchObject({ store: false });
      await expectUnknown(client.responses.retrieve(made.id));
      const streamed = await collect(await client.responses.create({ ...asked, store: false, stream: true }));
      const { id } = await expectEvents(streamed, 0);
      await expectUnknown(client.responses.retrieve(id));
      const next = { ...asked, previous_response_id: made.id };
      expect(await failure(client.responses.create(next))).toMatchObject({ code: 'previous_response_not_found' });
      expectPaid(rig, { received: 2, billed: 2, images: 2 });
    },
  } satisfies ResponsesSuite;
}
