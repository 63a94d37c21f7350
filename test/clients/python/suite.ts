import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { inputImage, inputMask } from '../images.ts';
import { losesFirstResponse } from '../lossy-front.ts';
import { awkwardNames, expectAzureImage, expectOnePaid, expectPaid, type Rig, startRig } from '../rig.ts';
import type { Check, Suite } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import { type Program, requirePackages, runCheck } from './run-check.ts';

type ClassName = 'OpenAI' | 'AzureOpenAI';
type Image = keyof typeof inputs;
type Options = Parameters<typeof startRig>[0] & {
  /** Whether the client does not get the first response. */
  readonly losesFirst?: boolean;
};

const program: Program = { file: 'checks.py', packages: 'openai' };
const inputs = {
  teal: () => inputImage('teal'),
  coral: () => inputImage('coral'),
  mask: () => inputMask(),
};

/** Checks of a class of Python's package: each is a function of checks.py, and what Azure must have got from it. */
export function pythonSuite(className: ClassName): Suite {
  const check =
    (
      name: string,
      expectAtAzure: (rig: Rig) => void | Promise<void>,
      { losesFirst = false, ...options }: Options = {},
    ): Check =>
    async (context) => {
      requirePackages(context, program);
      const rig = await startRig(options);
      const variables = { IMAGES: await writeInputs(), AWKWARD_NAMES: JSON.stringify(awkwardNames) };
      const url = losesFirst ? await losesFirstResponse(rig.url) : rig.url;
      await runCheck(program, [className, name], url, variables);
      await expectAtAzure(rig);
    };
  return {
    base64: check('base64', expectOnePaid),
    url: check('url', expectOnePaid),
    several: check('several', paid(1, 1, 3)),
    options: check('options', expectOnePaid),
    stream: check('stream', expectOnePaid),
    edit: {
      'a file with name and type': check('edit', uploaded(['teal'])),
      'plain bytes': check('edit_bytes', uploaded(['teal'])),
    },
    editSeveral: check('edit_several', uploaded(['teal', 'coral'])),
    mask: check('mask', uploaded(['teal'], 'mask')),
    editStream: check('edit_stream', uploaded(['teal'])),
    editFile: check('edit_file', uploaded(['teal'])),
    errors: check('errors', paid(7, 0, 0)),
    billedOnce: {
      'after failures': check('billed_once', paid(9, 3, 3)),
      'with an Idempotency-Key': check('idempotency_key', paid(3, 3, 3), { keepsJobs: true, lingerMs: 0 }),
    },
    job: {
      'by the parameter background': check('job_background', expectOnePaid, { keepsJobs: true }),
      'by the header Prefer, polled where location says': check('job_prefer', expectOnePaid, { keepsJobs: true }),
      'of an edit': check('job_edit', uploaded(['teal']), { keepsJobs: true }),
      'that the package starts again because the response was lost': check('job_started_again', expectStartedAgain, {
        keepsJobs: true,
        losesFirst: true,
      }),
      'that fails': check('job_fails', paid(1, 0, 0), { keepsJobs: true }),
    },
    models: check('models', paid(0, 0, 0)),
    addresses: {
      'names with a slash and with a blank': check('names', paid(4, 4, 4)),
      ...(className === 'AzureOpenAI' && {
        'option azure_deployment': check('azure_deployment', (rig) => expectAzureImage(rig, 2)),
        'base_url of a deployment': check('azure_base_url', (rig) => expectAzureImage(rig, 2)),
        'a token provider': check('azure_token', (rig) => expectAzureImage(rig, 2)),
      }),
    },
  };
}

function paid(received: number, billed: number, images: number) {
  return (rig: Rig) => expectPaid(rig, { received, billed, images });
}

function uploaded(images: readonly Image[], mask?: Image) {
  return async (rig: Rig) => {
    const madeImages = await Promise.all(images.map((image) => inputs[image]()));
    expectUploaded(rig, madeImages, mask && (await inputs[mask]()));
    expectOnePaid(rig);
  };
}

function expectStartedAgain(rig: Rig): void {
  expect(rig.calls.filter(({ method }) => method === 'POST')).toHaveLength(2);
  expectOnePaid(rig);
}

/** A directory with the images that may be edited. */
async function writeInputs(): Promise<string> {
  const directory = await temporaryDirectory();
  for (const [name, draw] of Object.entries(inputs)) await writeFile(join(directory, `${name}.png`), await draw());
  return directory;
}
