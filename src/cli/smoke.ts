import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import type { App } from '../app.ts';
import { decodeBase64 } from '../codec/base64.ts';
import { loadDotEnv } from '../config/environment.ts';
import type { Bill } from '../domain/bill.ts';
import { costAsText } from '../domain/cost.ts';
import { GatewayError } from '../domain/gateway-error.ts';
import type { GenerationReader } from '../domain/generation-reader.ts';
import type { ImageEvent, ImageUsage } from '../domain/image-event.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { Gateway } from '../generations/gateway.ts';
import { plainRequest } from '../parameters/parameter-samples.ts';
import type { LogicalModel } from '../targets/model-catalog.ts';
import { isChatBilled, isContentRefusal } from '../targets/outcome.ts';
import { causeFacts, knownCost, operatorHint } from '../telemetry/log-lines.ts';
import { describeUpstream, redactUpstream } from '../telemetry/redact-upstream.ts';
import { type Command, usageOf } from './command-line.ts';
import { readConfiguration } from './configuration.ts';
import { type ImageFile, openImageFile } from './image-file.ts';
import { buildGateway } from './run-gateway.ts';

/** One real image through the whole gateway; nothing listens. */
export const smoke: Command = {
  name: 'smoke',
  npm: 'npm run smoke',
  words: 'MODEL [--yes]',
  about: 'Makes one real image with a model, in its lowest quality, after a confirmation. Azure bills it.',
  options: { yes: { meaning: 'make it without asking' } },
  maxWords: 1,
  // @azure/identity keeps retrying identities that do not respond, which would keep the process alive.
  exits: true,
  async run({ values, words: [name] }) {
    const { app } = await buildGateway(readConfiguration(loadDotEnv()));
    process.exitCode = await makeOne(app, name, values.yes === true);
    await app.server.close();
  },
};

const interruptedCode = 130;

async function makeOne({ gateway }: App, name: string | undefined, isAgreed: boolean): Promise<number> {
  const { catalog } = gateway;
  const usage = `${usageOf(smoke)}, where MODEL is one of: ${catalog.names.join(', ')}\n`;
  if (name === undefined) return refuse(usage);
  if (!catalog.names.includes(name)) return refuse(`Unknown model: ${name}.\n${usage}`);
  if (!isAgreed && !process.stdin.isTTY) {
    return refuse(
      'There is no terminal for the confirmation. With --yes the image is made, and billed, without asking.\n',
    );
  }
  const { quality = 'its only quality' } = smokeRequest(catalog.find(name));
  if (!isAgreed) {
    const question = `This makes one real image with ${name} (${quality}). Azure bills it. Continue? [y/N] `;
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
    process.stdout.write('Requesting an image …\n');
    const { image, usage } = await receiveImage(generation);
    const saved = await file.save(image).catch((cause) => {
      throw new Error(`the image was made and billed, but cannot be saved: ${cause.message}`, { cause });
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

type Received = { readonly image: Buffer; readonly usage: ImageUsage | undefined };

/** The cheapest quality first. */
const qualities = ['low', 'standard'] as const;

/** Harmless, and recognisable in Azure's logs. */
const smokePrompt = 'A small red circle in the middle of a white square, as a test image';

/** A request for one image in the cheapest quality of the model. */
function smokeRequest({ targets }: LogicalModel): ImageRequest {
  const quality = qualities.find((name) =>
    targets.some(({ family }) => family.qualities === 'any' || family.qualities.includes(name)),
  );
  return { ...plainRequest, prompt: smokePrompt, quality, delivery: 'b64_json' };
}

/** Starts the only call: nothing is retried. Rejects with a GatewayError when the request is refused at once. */
function startSmoke({ catalog, start }: Gateway, model: string): Promise<GenerationReader> {
  return start(model, smokeRequest(catalog.find(model)), { id: 'smoke', isRetry: false, maxRetries: 0, bodyBytes: 0 });
}

/** Waits for the complete image. Rejects with a GatewayError. */
async function receiveImage(generation: GenerationReader): Promise<Received> {
  let usage: ImageUsage | undefined;

  async function* texts(events: AsyncIterable<ImageEvent>): AsyncGenerator<Buffer> {
    for await (const event of events) {
      if (event.type === 'bytes') yield event.chunk;
      else if (event.type === 'image-end' || event.type === 'done') usage = event.usage ?? usage;
    }
  }

  const events = await generation.events;
  try {
    // The decoder reuses its buffer, so each piece is copied.
    const pieces: Buffer[] = [];
    for await (const piece of decodeBase64(texts(events), damaged)) pieces.push(Buffer.from(piece));
    generation.settle('delivered');
    return { image: Buffer.concat(pieces), usage };
  } catch (error) {
    generation.settle('truncated');
    throw error;
  }
}

function damaged(): GatewayError {
  const message = 'The image service returned a damaged image. It may have been billed.';
  return new GatewayError('upstream_invalid_response', message, { outcome: 'unknown' });
}

type Terminal = { readonly input: Readable; readonly output: Writable };

/** Asks for a confirmation. Only `y` and `yes` mean yes; Ctrl-C is `interrupted`, the end of the input means no. */
export function confirm(question: string, terminal: Terminal): Promise<'yes' | 'no' | 'interrupted'> {
  const lines = createInterface(terminal);
  return new Promise<'yes' | 'no' | 'interrupted'>((resolve) => {
    lines.once('SIGINT', () => resolve('interrupted')).once('close', () => resolve('no'));
    lines.question(question, (answer) => resolve(/^y(es)?$/i.test(answer.trim()) ? 'yes' : 'no'));
  }).finally(() => lines.close());
}

/** The usage that Azure reported, and the cost where the prices are known. */
export function describeBill(usage: ImageUsage | undefined, bill: Bill): string {
  return `${describeUsage(usage)}\n${describeCost(bill)}`;
}

function describeUsage(usage: ImageUsage = {}): string {
  const counts = Object.entries(usage).filter(([, value]) => typeof value === 'number');
  const tokens = counts.map(([name, value]) => `${name} ${value}`).join(', ');
  return tokens === '' ? 'Usage: Azure reported none.' : `Usage: ${tokens}.`;
}

function describeCost(bill: Bill): string {
  const cost = knownCost(bill);
  const basis = bill.isEstimate ? ', estimated with list prices' : '';
  if (cost !== undefined) return `Cost: ${costAsText(cost)} ${bill.currency}${basis}.`;
  return 'Cost: unknown, because `prices` in the models file or the usage is missing; see docs/observability.md.';
}

/** Why there is no image, with Azure's message, whether it may have been billed, and what to do. */
export function describeFailure(error: GatewayError): string {
  const { kind, message, cause, upstream } = error;
  const hint = operatorHint(error);
  const facts = cause === undefined ? '' : ` ${JSON.stringify(causeFacts(cause))}`;
  return [
    `No image: ${message}`,
    `  ${kind}${facts}`,
    ...(upstream === undefined ? [] : [`  ${describeUpstream(redactUpstream(upstream, [smokePrompt]))}`]),
    ...(hint === undefined ? [] : [`  ${hint}`]),
    `  ${describeFailedCost(error)}`,
    '',
  ].join('\n');
}

function describeFailedCost({ kind, outcome }: GatewayError): string {
  if (isChatBilled(kind)) return 'No image was billed, but the tokens of the chat model are.';
  if (isContentRefusal(kind)) return 'No image was billed; Azure does not say whether it bills the refused prompt.';
  if (outcome === 'unknown') return 'The image may have been billed: check the bill before you try again.';
  return 'Nothing was billed.';
}
