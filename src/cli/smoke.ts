import type { App } from '../app.ts';
import { loadDotEnv } from '../config/environment.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import { type Command, type CommandLine, readCommandLine } from './command-line.ts';
import { describeStartFailure } from './describe-start-failure.ts';
import { buildGateway, readConfiguration } from './run-gateway.ts';
import { confirm } from './smoke/confirm.ts';
import { describeBill } from './smoke/describe-bill.ts';
import { describeFailure } from './smoke/describe-failure.ts';
import { receiveImage, smokeRequest, startSmoke } from './smoke/draw-once.ts';
import { type ImageFile, openImageFile } from './smoke/image-file.ts';

// One real image, by the way that requests take through the gateway; nothing listens.

const interruptedCode = 130;

const command: Command = {
  usage: 'npm run smoke -- MODEL [--yes]',
  about: 'Makes one real image with a model, in its lowest quality, after a question. Azure bills it.',
  options: { yes: { meaning: 'makes it without a question' } },
  maxWords: 1,
};

const commandLine = readCommandLine(command);
if (commandLine) await main(commandLine);
// Identities that do not answer are asked on and on by their package, and would keep the process alive.
process.stdout.write('', () => process.exit());

async function main({ values, words: [name] }: CommandLine): Promise<void> {
  try {
    const configuration = readConfiguration(loadDotEnv());
    const { app } = await buildGateway(configuration);
    process.exitCode = await smoke(app, name, values.yes === true);
    await app.server.close();
  } catch (error) {
    process.stderr.write(describeStartFailure(error));
    process.exitCode = 1;
  }
}

async function smoke({ gateway }: App, name: string | undefined, isAgreed: boolean): Promise<number> {
  const { catalog } = gateway;
  const usage = `${command.usage}, where MODEL is one of: ${catalog.names.join(', ')}\n`;
  if (name === undefined || !catalog.names.includes(name)) return refuse(usage);
  if (!isAgreed && !process.stdin.isTTY) {
    return refuse('There is no terminal to ask at. With --yes the image is made, and paid for, without a question.\n');
  }
  const { quality = 'its only quality' } = smokeRequest(catalog.find(name));
  if (!isAgreed) {
    const question = `This makes one real image with ${name} (${quality}), and Azure bills it. Go on? [y/N] `;
    const answer = await confirm(question, { input: process.stdin, output: process.stdout });
    if (answer !== 'yes') process.stdout.write('\nNothing was sent, and nothing was billed.\n');
    if (answer === 'interrupted') return interruptedCode;
    if (answer === 'no') return 1;
  }
  const file = await openImageFile(process.cwd(), name, new Date());
  try {
    return await draw(gateway, name, file);
  } finally {
    await file.drop();
  }
}

async function draw(gateway: App['gateway'], name: string, file: ImageFile): Promise<number> {
  const begin = performance.now();
  let isInterrupted = false;
  try {
    const generation = await startSmoke(gateway, name);
    // A second Ctrl-C ends the process at once.
    process.once('SIGINT', () => {
      isInterrupted = true;
      generation.cancel('shutdown');
    });
    process.stdout.write('Asking for an image …\n');
    const { image, usage } = await receiveImage(generation);
    const saved = await file.save(image).catch((cause) => {
      throw new Error(`the image was made and billed, but could not be saved: ${cause.message}`, { cause });
    });
    const { target = '', attempts, adaptations, bill } = generation.report;
    const seconds = ((performance.now() - begin) / 1000).toFixed(1);
    const adapted = adaptations.length > 0 ? `, adapted: ${adaptations.join(', ')}` : '';
    process.stdout.write(`${saved}: ${image.length} bytes\n`);
    process.stdout.write(`Target ${target}, ${attempts} call${attempts === 1 ? '' : 's'}, ${seconds} s${adapted}. `);
    process.stdout.write(`${describeBill(usage, bill)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    process.stderr.write(`${isInterrupted ? 'Interrupted. ' : ''}${describeFailure(error)}`);
    return isInterrupted ? interruptedCode : 1;
  }
}

function refuse(why: string): number {
  process.stderr.write(why);
  return 1;
}
