import type { Scenario } from './choose-scenario.ts';
import type { ImageOrder } from './draw-image.ts';
import type { Family } from './families.ts';
import type { RequestBody } from './incoming-request.ts';
import type { SourceImage } from './inspect-image.ts';
import type { Flow, ImageOperation } from './ledger.ts';

// The edge, in pixels, of the first partial image's squares.
const coarsest = 32;

/** Where a job came in, and what it edits; a generation edits nothing. */
export type JobPlace = {
  readonly flow: Flow;
  readonly family: Family;
  readonly deployment: string;
  /** The first input image, and how many there are with it. */
  readonly edited?: { readonly source: SourceImage; readonly inputs: number };
};

/** A checked request with every default filled in: what is to be drawn, and the form of the response. */
export type ImageJob = JobPlace & {
  readonly prompt: string;
  readonly count: number;
  /** Always definite, `WxH` in pixels. */
  readonly size: string;
  readonly quality: string;
  readonly background: 'opaque' | 'transparent';
  readonly format: 'png' | 'jpeg';
  readonly compression: number;
  readonly asUrl: boolean;
  readonly stream: boolean;
  /** How many partial images come before the finished one, 0 to 3. */
  readonly partialImages: number;
  readonly scenario: Scenario;
};

/** Fills in Azure's defaults. The body has passed the parameter check. */
export function imageJobOf(body: RequestBody, rest: JobPlace & Pick<ImageJob, 'scenario'>): ImageJob {
  const { kind } = rest.family;
  const { quality, output_compression: compression, partial_images: partialImages } = body;
  return {
    ...rest,
    prompt: String(body.prompt),
    count: countOf(body, rest.scenario),
    size: kind === 'flux' ? fluxSizeOf(body) : listedSizeOf(body),
    quality: typeof quality === 'string' && quality !== 'auto' ? quality : 'high',
    background: body.background === 'transparent' ? 'transparent' : 'opaque',
    format: body.output_format === 'jpeg' ? 'jpeg' : 'png',
    compression: typeof compression === 'number' ? compression : 100,
    asUrl: asUrl(body, kind, rest.scenario),
    stream: body.stream === true,
    partialImages: typeof partialImages === 'number' ? partialImages : 0,
  };
}

// The tool has no `n`, but nothing keeps a chat model from calling it twice.
function countOf({ n }: RequestBody, { name }: Scenario): number {
  if (name === 'agent-two-images') return 2;
  return typeof n === 'number' ? n : 1;
}

// GPT image, MAI-Image and FLUX.2 return base64, dall-e a url unless asked otherwise; FLUX, whose default is not documented, base64.
function asUrl({ response_format: format }: RequestBody, kind: Family['kind'], scenario: Scenario): boolean {
  if (kind === 'gpt-image') return scenario.name === 'url-item';
  if (kind === 'flux') return format === 'url';
  return kind.startsWith('dall-e') && format !== 'b64_json';
}

function listedSizeOf({ size }: RequestBody): string {
  return typeof size === 'string' && size !== 'auto' ? size : '1024x1024';
}

// FLUX knows width and height; whichever is given overrules its half of the size.
function fluxSizeOf(body: RequestBody): string {
  const [width, height] = listedSizeOf(body).split('x');
  return `${body.width ?? width}x${body.height ?? height}`;
}

/** What a job was asked for by the path it came in at. */
export function operationOf({ edited }: JobPlace): ImageOperation {
  return edited === undefined ? 'generate' : 'edit';
}

/** Says whether a scenario can show itself in this job. */
export function isWithinReach({ scenario, flow, family, asUrl, stream, edited }: ImageJob): boolean {
  switch (scenario.reach) {
    case 'all':
      return true;
    case 'legacy':
      return flow === 'azure-async';
    case 'synchronous':
      return flow !== 'azure-async';
    case 'gpt-image':
      return family.kind === 'gpt-image' && flow !== 'foundry-agent';
    case 'edit':
      // Nobody reports it of the models of other makers, and those of FLUX are no forms.
      return edited !== undefined && flow !== 'mai' && flow !== 'flux';
    case 'stream':
      return stream;
    case 'agent':
      return flow === 'foundry-agent';
    case 'download':
      return asUrl;
  }
}

/** The images of a job, one order for each that was asked for. */
export function imageOrdersOf(job: ImageJob): ImageOrder[] {
  const [width = 1024, height = 1024] = job.size.split('x').map(Number);
  return Array.from({ length: job.count }, (_, index) => ({
    prompt: job.prompt,
    index,
    width,
    height,
    transparent: job.background === 'transparent',
    format: job.format,
    compression: job.compression,
    paddingMegabytes: job.scenario.name === 'big' || job.scenario.name === 'stream-big' ? job.scenario.value : 0,
    coarseness: 1,
    broken: job.scenario.name === 'not-an-image',
    ...(job.edited && { source: job.edited.source }),
  }));
}

/** The partial images of a streamed job: the same image at its full size, from coarse to fine. */
export function partialOrdersOf(job: ImageJob): ImageOrder[] {
  const finished = imageOrdersOf(job).slice(0, 1);
  return finished.flatMap((order) =>
    Array.from({ length: job.partialImages }, (_, index) => ({
      ...order,
      paddingMegabytes: 0,
      coarseness: coarsest / 2 ** index,
    })),
  );
}
