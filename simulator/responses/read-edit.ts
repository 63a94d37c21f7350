import { missingParameter, type PlainAnswer } from '../azure-errors.ts';
import { checkFiles } from '../check-files.ts';
import type { Family } from '../families.ts';
import type { JobPlace } from '../image-job.ts';
import type { ReceivedFile } from '../receive-form.ts';
import { isObject, type RequestBody } from '../request-body.ts';
import { sourceImageOf } from '../source-image.ts';
import { readDataUrl } from './read-data-url.ts';
import { invalidMember } from './response-errors.ts';

type Edited = Pick<JobPlace, 'edited'>;

/** Decodes and checks the images of a request: what is to be edited, which is nothing without images. */
export async function readEdit(
  images: readonly string[],
  tool: RequestBody,
  family: Family,
): Promise<Edited | PlainAnswer> {
  const { action, input_image_mask: mask } = tool;
  if (images.length === 0) {
    if (action === 'edit') return invalidMember('tools[0].action', 'must not be edit without an input image');
    return mask === undefined ? {} : invalidMember('tools[0].input_image_mask', 'needs an input image');
  }
  const files: ReceivedFile[] = [];
  for (const { url, part, param } of imageUrls(images, mask)) {
    const file = await readDataUrl(url, part, param);
    if ('status' in file) return file;
    files.push(file);
  }
  const refused = family.edits === undefined ? missingParameter('image') : checkFiles(files, family.edits);
  if (refused !== undefined) return refused;
  const [first] = files;
  // CONTRACTS §3.4: the model is told to draw anew, whatever it was shown.
  if (first === undefined || action === 'generate') return {};
  return { edited: { source: await sourceImageOf(first), inputs: images.length } };
}

// They are checked like the parts of a form, and called so.
function imageUrls(images: readonly string[], mask: unknown) {
  const part = images.length === 1 ? 'image' : 'image[]';
  const inputs = images.map((url) => ({ url, part, param: 'input' }));
  if (!isObject(mask)) return inputs;
  return [...inputs, { url: String(mask.image_url), part: 'mask', param: 'tools[0].input_image_mask' }];
}
