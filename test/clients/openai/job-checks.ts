import type { ImagesResponse } from 'openai7/resources/images';
import { expect } from 'vitest';
import { failure } from '../failure.ts';
import { expectBase64, inputImage } from '../images.ts';
import { losesFirstResponse } from '../lossy-front.ts';
import { expectOnePaid, expectPaid, type Rig, startRig } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import type { OpenAIClient, Sdk } from './sdk.ts';

/** What the gateway says about a job; the SDKs have no type for it. */
type Job = {
  readonly id: string;
  readonly object: string;
  readonly status: string;
  readonly error: { readonly code: string; readonly message: string } | null;
};

const wanted = { model: 'image', prompt: 'a cat' } as const;
const respondAsync = { headers: { Prefer: 'respond-async' } } as const;
const asJob = (response: unknown) => response as Job;

/** Checks that a generation or edit can be a job, which is asked for by the SDK's plain calls. */
export function jobChecks({ package: sdk, connect }: Sdk) {
  /** The response of the gateway waits until the job has ended. */
  const ended = (client: OpenAIClient, { id }: Job) =>
    client.get<Job>(`/images/jobs/${id}`, { headers: { Prefer: 'wait=20' } });

  const content = (client: OpenAIClient, { id }: Job) => client.get<ImagesResponse>(`/images/jobs/${id}/content`);

  async function expectMade(rig: Rig, created: Job): Promise<void> {
    const client = connect(rig.url);
    expect(created).toMatchObject({ id: expect.stringMatching(/^imgjob_/), object: 'image.job', error: null });
    expect(await ended(client, created)).toMatchObject({ id: created.id, status: 'completed', error: null });
    const { data } = await content(client, created);
    expect(data).toHaveLength(1);
    await expectBase64(data?.[0]?.b64_json, '1024x1024');
    expectOnePaid(rig);
  }

  const startJobsRig = () => startRig({ keepsJobs: true });

  return {
    job: {
      async 'by the parameter background'() {
        const rig = await startJobsRig();
        const request = { ...wanted, background: true as never };
        await expectMade(rig, asJob(await connect(rig.url).images.generate(request)));
      },
      async 'by the header Prefer, polled where location says'() {
        const rig = await startJobsRig();
        const client = connect(rig.url);
        const { data, response } = await client.images.generate(wanted, respondAsync).withResponse();
        expect(response.status).toBe(202);
        const location = response.headers.get('location') ?? '';
        expect(await client.get<Job>(location)).toMatchObject({ id: asJob(data).id, object: 'image.job' });
        await expectMade(rig, asJob(data));
      },
      async 'of an edit'() {
        const rig = await startJobsRig();
        const made = await inputImage();
        const image = await sdk.toFile(made, 'teal.png', { type: 'image/png' });
        await expectMade(rig, asJob(await connect(rig.url).images.edit({ ...wanted, image }, respondAsync)));
        expectUploaded(rig, [made]);
      },
      async 'that the SDK starts again because the response was lost'() {
        const rig = await startJobsRig();
        const front = await losesFirstResponse(rig.url);
        await expectMade(rig, asJob(await connect(front).images.generate(wanted, respondAsync)));
        const starts = rig.calls.filter(({ method }) => method === 'POST');
        expect(starts.map(({ headers }) => headers['x-stainless-retry-count'])).toEqual(['0', '1']);
      },
      async 'that fails'() {
        const rig = await startJobsRig();
        const client = connect(rig.url);
        const request = { ...wanted, prompt: 'simulate:moderation-blocked' };
        const job = asJob(await client.images.generate(request, respondAsync));
        const error = { code: 'moderation_blocked' };
        expect(await ended(client, job)).toMatchObject({ status: 'failed', error });
        expect(await failure(content(client, job))).toBeInstanceOf(sdk.BadRequestError);
        expect(await failure(content(client, job))).toMatchObject({ status: 400, ...error });
        expectPaid(rig, { received: 1, billed: 0, images: 0 });
      },
    },
  } satisfies Suite;
}
