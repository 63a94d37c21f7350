import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect, inject, onTestFinished } from 'vitest';
import { temporaryDirectory } from '../../helpers/temporary-directory.ts';
import { inputImage, inputMask } from '../images.ts';
import { awkwardNames, expectAzureImage, expectOnePaid, expectPaid, gatewayKey, type Rig, startRig } from '../rig.ts';
import type { Check, Suite } from '../suite.ts';
import { expectUploaded } from '../uploads.ts';
import { packagesDirectory } from './packages-directory.ts';

type ClassName = 'OpenAI' | 'AzureOpenAI';
type Image = keyof typeof inputs;

const program = fileURLToPath(new URL('checks.py', import.meta.url));
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
      options: Parameters<typeof startRig>[0] = {},
    ): Check =>
    async (context) => {
      const missing = inject('pythonMissing');
      context.skip(missing !== '', `python: not run (${missing})`);
      const rig = await startRig(options);
      await runCheck(className, name, rig);
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

/** A directory with the images that may be edited. */
async function writeInputs(): Promise<string> {
  const directory = await temporaryDirectory();
  for (const [name, draw] of Object.entries(inputs)) await writeFile(join(directory, `${name}.png`), await draw());
  return directory;
}

/** Runs one function of checks.py with this gateway; what it says about a failure is the test's. */
async function runCheck(className: ClassName, name: string, { url }: Rig): Promise<void> {
  const { PATH = '' } = process.env;
  const variables = {
    PATH,
    PYTHONPATH: packagesDirectory,
    PYTHONDONTWRITEBYTECODE: '1',
    GATEWAY_URL: url,
    GATEWAY_KEY: gatewayKey,
    IMAGES: await writeInputs(),
    AWKWARD_NAMES: JSON.stringify(awkwardNames),
  };
  const child = spawn('python3', [program, className, name], { env: variables, stdio: ['ignore', 'ignore', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said, [exitCode]] = await Promise.all([text(child.stderr), once(child, 'exit')]);
  expect(exitCode, said).toBe(0);
}
