import { expect } from 'vitest';
import { expectAzureImage, expectOnePaid, expectPaid, type Rig, startRig } from '../rig.ts';
import type { Check, Suite } from '../suite.ts';
import { type Program, requirePackages, runCheck } from './run-check.ts';

const program: Program = { file: 'pipecat_checks.py', packages: 'pipecat' };

/** One function of the program, and what Azure must have got from it. */
const check =
  (name: string, expectAtAzure: (rig: Rig) => void = expectOnePaid): Check =>
  async (context) => {
    requirePackages(context, program);
    const rig = await startRig({ keepsJobs: true });
    await runCheck(program, [name], rig.url);
    expectAtAzure(rig);
  };

/** Checks of `AzureImageGenServiceREST`, which names no model and always wants one image. */
export const pipecatSuite: Suite = {
  url: check('url'),
  options: {
    'a size': check('size', (rig) => {
      expect(rig.paidCalls()[0]?.body).toMatchObject({ size: '1024x1536' });
      expectOnePaid(rig);
    }),
    'a size that the model does not have': check('unknown_size'),
  },
  errors: {
    'a wrong key': check('refused_at_once', (rig) => expectPaid(rig, { received: 0, billed: 0, images: 0 })),
    'a prompt that moderation refuses': check('refused_later', (rig) => {
      expect(rig.calls.filter(({ method }) => method === 'GET')).toHaveLength(119);
      expectPaid(rig, { received: 1, billed: 0, images: 0 });
    }),
  },
  addresses: check('prefix', (rig) => expectAzureImage(rig, 1)),
};
