import { GatewayError } from '../../../domain/gateway-error.ts';
import { type InputReference, type InputStore, maxInputs } from '../../../domain/image-input.ts';
import type { OpenImage } from '../../../domain/image-store.ts';
import type { JobId } from '../../../domain/job-store.ts';
import { isJobNotFound, type Jobs } from '../../../generations/jobs.ts';
import { invalidMember } from '../../uploads/member-name.ts';
import { receiveInput } from '../../uploads/receive-input.ts';
import type { ResponseImage } from './read-responses-body.ts';
import { viewOf } from './response-view.ts';

type Earlier = {
  readonly jobs: Pick<Jobs, 'find' | 'images'>;
  readonly consumer: string;
  readonly inputs: InputStore;
};

/**
 * The images that a request works on: that of the response before it, and those of its input in order. Images of earlier
 * responses are copied, because they may be deleted while this request waits. Rejects with `previous_response_not_found`.
 */
export async function inputImages(
  previousResponseId: string | undefined,
  images: readonly ResponseImage[],
  earlier: Earlier,
): Promise<readonly InputReference[]> {
  const all: InputReference[] = [];
  /** A client may name the last response, and have its image in the input as well. */
  const seen = new Set<JobId | undefined>();
  const addEarlier = async (id: string, param: string) => {
    const job = jobOf(id);
    if (!seen.has(job)) all.push(await earlierInput(job, param, earlier));
    seen.add(job);
  };
  if (previousResponseId !== undefined) await addEarlier(previousResponseId, 'previous_response_id');
  for (const image of images) {
    if ('item' in image) await addEarlier(image.item, 'input');
    else all.push(image);
  }
  if (all.length > maxInputs) throw invalidMember('input', `may have ${maxInputs} images at most`);
  return all;
}

/** The job behind the id of a response, or of its call of the tool. */
function jobOf(id: string): JobId | undefined {
  return /^(?:resp|ig)_(.+)$/.exec(id)?.[1];
}

async function earlierInput(job: JobId | undefined, param: string, earlier: Earlier): Promise<InputReference> {
  const image = job === undefined ? undefined : await openImage(job, earlier);
  if (image === undefined) {
    const message = `'${param}' names no image of an earlier response that is still stored.`;
    throw new GatewayError('previous_response_not_found', message, { param });
  }
  return receiveInput(param, image.read(), earlier.inputs);
}

async function openImage(id: JobId, { jobs, consumer }: Earlier): Promise<OpenImage | undefined> {
  try {
    const job = await jobs.find(consumer, id);
    return viewOf(job).isStored ? (await jobs.images(job))?.[0] : undefined;
  } catch (error) {
    if (isJobNotFound(error)) return undefined;
    throw error;
  }
}
