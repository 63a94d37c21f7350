import type { RequestBody } from './check-parameters.ts';
import type { Scenario } from './choose-scenario.ts';
import type { PictureOrder } from './draw-picture.ts';
import type { Family } from './families.ts';
import type { Flow } from './ledger.ts';

/** A checked request with every default filled in: what is to be drawn and how it is to be answered. */
export type ImageJob = {
  readonly flow: Flow;
  readonly family: Family;
  readonly deployment: string;
  readonly prompt: string;
  readonly count: number;
  /** Always definite, `WxH` in pixels. */
  readonly size: string;
  readonly quality: string;
  readonly background: 'opaque' | 'transparent';
  readonly format: 'png' | 'jpeg';
  readonly compression: number;
  readonly asUrl: boolean;
  readonly scenario: Scenario;
};

/** Fills in Azure's defaults (CONTRACTS §3.2). The body has passed the parameter check. */
export function imageJobOf(
  body: RequestBody,
  rest: Pick<ImageJob, 'flow' | 'family' | 'deployment' | 'scenario'>,
): ImageJob {
  const isGptImage = rest.family.kind === 'gpt-image';
  const { n, size, quality, output_compression: compression } = body;
  return {
    ...rest,
    prompt: String(body.prompt),
    count: typeof n === 'number' ? n : 1,
    size: typeof size === 'string' && size !== 'auto' ? size : '1024x1024',
    quality: typeof quality === 'string' && quality !== 'auto' ? quality : 'high',
    background: body.background === 'transparent' ? 'transparent' : 'opaque',
    format: body.output_format === 'jpeg' ? 'jpeg' : 'png',
    compression: typeof compression === 'number' ? compression : 100,
    asUrl: isGptImage ? rest.scenario.name === 'url-item' : body.response_format !== 'b64_json',
  };
}

/** Says whether a scenario can show itself in this job. */
export function isWithinReach({ scenario, flow, family, asUrl }: ImageJob): boolean {
  switch (scenario.reach) {
    case 'all':
      return true;
    case 'legacy':
      return flow === 'azure-async';
    case 'synchronous':
      return flow !== 'azure-async';
    case 'gpt-image':
      return family.kind === 'gpt-image';
    case 'download':
      return asUrl;
  }
}

/** The pictures of a job, one order for each that was asked for. */
export function pictureOrdersOf(job: ImageJob): PictureOrder[] {
  const [width = 1024, height = 1024] = job.size.split('x').map(Number);
  return Array.from({ length: job.count }, (_, index) => ({
    prompt: job.prompt,
    index,
    width,
    height,
    transparent: job.background === 'transparent',
    format: job.format,
    compression: job.compression,
    paddingMegabytes: job.scenario.name === 'big' ? job.scenario.value : 0,
    broken: job.scenario.name === 'not-an-image',
  }));
}
