import { GatewayError } from '../../../domain/gateway-error.ts';
import type { EditInputs, InputReference } from '../../../domain/image-input.ts';
import type { ImageRequest } from '../../../domain/image-request.ts';
import { invalidMember } from '../../uploads/member-name.ts';
import { parseParameters } from '../openai-images/parse-parameters.ts';
import type { ResponsesBody } from './read-responses-body.ts';

/**
 * What a body asks for, in the words of the Images API. Throws a GatewayError that names the member at fault. Images that
 * `action: generate` leaves out are `ignored`.
 * @param images of the input, and of the response before it, in order
 * @param inputs has their bytes
 */
export function requestOf(
  body: ResponsesBody,
  images: readonly InputReference[],
  inputs: EditInputs['inputs'],
): { request: ImageRequest; ignored: readonly string[] } {
  const { prompt, options, mask, action, members } = body;
  const { stream, user, safety_identifier } = members;
  if (action === 'edit' && images.length === 0) throw invalidMember('tools[0].action', "'edit' needs an image");
  const isEdit = action !== 'generate' && images.length > 0;
  if (typeof options.background === 'boolean') throw invalidMember('tools[0].background', 'must be a string');
  if (mask && !isEdit) throw invalidMember('tools[0].input_image_mask', 'needs an image to edit');
  const ignored = [...body.ignored, ...(isEdit || images.length === 0 ? [] : ['input.input_image'])];
  const edit = isEdit ? { images, mask, markup: undefined, inputs } : undefined;
  const sent = { ...options, prompt, stream, user, safety_identifier, response_format: 'b64_json' };
  const given = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined));
  try {
    return { request: parseParameters(given, edit).request, ignored };
  } catch (error) {
    throw asMemberError(error, body);
  }
}

/** An error about a parameter of the Images API as one about the member of this body that it came from. */
export function asMemberError(error: unknown, { options }: Pick<ResponsesBody, 'options'>): unknown {
  if (!(error instanceof GatewayError) || error.param === undefined) return error;
  const { param } = error;
  const member = Object.hasOwn(options, param) ? `tools[0].${param}` : memberOf[param];
  if (member === undefined) return error;
  return error.with({ param: member }, error.message.replaceAll(`'${param}'`, `'${member}'`));
}

/** Where the members of an image request stand in this body. */
const memberOf: Readonly<Record<string, string>> = {
  prompt: 'input',
  image: 'input',
  images: 'input',
  mask: 'tools[0].input_image_mask',
};
