import { expect } from 'vitest';
import { losesFirstResponse, submitsOf } from '../lossy-front.ts';
import { expectAzureImage, expectOnePaid, expectPaid, type Rig, startRig } from '../rig.ts';
import type { Check, Suite } from '../suite.ts';
import { type Program, requirePackages, runCheck } from './run-check.ts';

const program: Program = { file: 'openai_028_checks.py', packages: 'openai-0.28' };

/** One function of the program, and what Azure must have got from it. */
const check =
  (name: string, expectAtAzure: (rig: Rig) => void = expectOnePaid, addressOf = async ({ url }: Rig) => url): Check =>
  async (context) => {
    requirePackages(context, program);
    const rig = await startRig({ keepsJobs: true });
    await runCheck(program, [name], await addressOf(rig));
    expectAtAzure(rig);
  };

const paid = (received: number, billed: number, images: number) => (rig: Rig) =>
  expectPaid(rig, { received, billed, images });

const lossyFront = ({ url }: Rig) => losesFirstResponse(url);

/** Checks of the package's Azure mode, whose `Image` submits and polls. */
export const openai028Suite: Suite = {
  base64: check('base64'),
  url: {
    create: check('url'),
    acreate: check('url_async'),
    'polled as often as the gateway says': check('waits'),
  },
  several: {
    'three of gpt-image, in one call': check('several', paid(1, 1, 3)),
    'two of dall-e-3, in two calls': check('several_calls', paid(2, 2, 2)),
  },
  options: check('options', (rig) => {
    expect(rig.paidCalls()[0]?.body).toMatchObject({ size: '1024x1536', user: 'somebody' });
    expectOnePaid(rig);
  }),
  errors: {
    'a prompt that moderation refuses': check('refused_prompt', paid(1, 0, 0)),
    'a prompt that the filter refuses, with acreate': check('refused_prompt_async', paid(1, 0, 0)),
    'a value that no model takes': check('refused_value', paid(0, 0, 0)),
    'a wrong key': check('wrong_key', paid(0, 0, 0)),
    'an Operation-Id that another prompt has': check('id_of_another_prompt'),
  },
  billedOnce: {
    async 'when the response to the submit is lost'(context) {
      requirePackages(context, program);
      const rig = await startRig({ keepsJobs: true });
      await runCheck(program, ['lost_response'], await losesFirstResponse(rig.url));
      await expect.poll(() => rig.inFlight()).toBe(0);
      expect(submitsOf(rig)).toHaveLength(1);
      expectOnePaid(rig);
    },
    'submitted again with its Operation-Id': check(
      'lost_response_with_id',
      (rig) => {
        expect(submitsOf(rig)).toHaveLength(2);
        expectOnePaid(rig);
      },
      lossyFront,
    ),
  },
  addresses: {
    'api_base with a prefix that names the model': check('prefix', (rig) => expectAzureImage(rig, 1)),
    'the parameter model': check('model', (rig) => expectAzureImage(rig, 1)),
    'api_type azure_ad': check('token'),
  },
};
