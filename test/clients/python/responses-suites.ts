import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { inputImage } from '../images.ts';
import { paidOperations, startResponsesRig } from '../responses/response-image.ts';
import type { ResponsesSuite } from '../responses/responses-matrix.ts';
import { expectAzureImage, expectOnePaid, expectPaid, type Rig } from '../rig.ts';
import type { Check } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import { type Program, requirePackages, runCheck } from './run-check.ts';

type ExpectAtAzure = (rig: Rig) => void | Promise<void>;
type Limits = Parameters<typeof startResponsesRig>[0];

/** Makes checks of a program: each is a function of it, and what Azure must have got from that. */
function checksOf(program: Program, words: readonly string[] = []) {
  return (name: string, expectAtAzure: ExpectAtAzure = expectOnePaid, limits: Limits = {}): Check =>
    async (context) => {
      requirePackages(context, program);
      const rig = await startResponsesRig(limits);
      const image = join(await temporaryDirectory(), 'teal.png');
      await writeFile(image, await inputImage());
      await runCheck(program, [...words, name], rig.url, { IMAGE: image });
      await expectAtAzure(rig);
    };
}

const paid = (received: number, images: number) => (rig: Rig) => expectPaid(rig, { received, billed: images, images });

/** Checks of a class of OpenAI's package. */
export function pythonResponses(className: 'OpenAI' | 'AzureOpenAI'): ResponsesSuite {
  const check = checksOf({ file: 'responses_checks.py', packages: 'openai' }, [className]);
  return {
    create: {
      'from a text': check('create'),
      [`with Async${className}, as a stream, too`]: check('create_async', paid(2, 2)),
    },
    options: check('options'),
    stream: check('stream'),
    helper: check('helper'),
    resume: check('resume'),
    turns: check('turns', (rig) => {
      expect(paidOperations(rig)).toEqual(['generate', 'edit', 'edit', 'edit']);
      expectPaid(rig, { received: 4, billed: 4, images: 4 });
    }),
    inputImage: check('input_image', async (rig) => {
      expectUploaded(rig, [await inputImage()]);
      expectOnePaid(rig);
    }),
    retrieve: check('retrieve'),
    background: check('background', paid(2, 1)),
    cancel: check('cancel', (rig) => expect(rig.simulator.ledger.received).toBe(1), { inFlight: 1 }),
    remove: check('remove'),
    notStored: check('not_stored'),
    errors: check('errors', paid(2, 0)),
    billedOnce: check('billed_once', expectOnePaid, { lingerMs: 0 }),
    addresses: check('addresses', (rig) => {
      const path = className === 'OpenAI' ? '/v1/responses' : '/openai/responses?api-version=2025-04-01-preview';
      expect(rig.calls[0]?.path).toBe(path);
      expectAzureImage(rig, 1);
    }),
  };
}

const check = checksOf({ file: 'azure_ai_projects_checks.py', packages: 'azure-ai-projects' });

/** Checks of Azure's client of Foundry projects. */
export const pythonProjects: ResponsesSuite = {
  create: check('create', (rig) => {
    expect(rig.calls.map(({ path }) => path)).toEqual(['/api/projects/shop/openai/v1/responses']);
    expectOnePaid(rig);
  }),
  stream: check('stream'),
  turns: check('turns', (rig) => {
    expect(paidOperations(rig)).toEqual(['generate', 'edit']);
    expectPaid(rig, { received: 2, billed: 2, images: 2 });
  }),
  retrieve: check('retrieve'),
  background: check('background'),
  errors: check('errors', paid(0, 0)),
  images: check('images'),
};
