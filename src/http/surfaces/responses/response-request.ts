import { GatewayError } from '../../../domain/gateway-error.ts';
import type { EditInputs, InputReference } from '../../../domain/image-input.ts';
import type { ImageRequest } from '../../../domain/image-request.ts';
import { invalidMember } from '../../uploads/member-name.ts';
import { parseParameters } from '../openai-images/parse-parameters.ts';
import type { ResponsesBody } from './read-responses-body.ts';

/**
 * What a body asks for, in the words of the Images API. Throws a GatewayError that names the member at fault. `ignored` has what of
 * it has no effect.
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
  const edit = isEdit ? { images, mask, markup: undefined, inputs } : undefined;
  // The Images API of Azure has the older name only.
  const sent = { ...options, prompt, stream, user: safety_identifier ?? user, response_format: 'b64_json' };
  const given = Object.fromEntries(Object.entries(sent).filter(([, value]) => value !== undefined));
  try {
    const { request } = parseParameters(given, edit);
    const ignored = [...body.ignored, ...idleIn(body, request, images)];
    // For OpenAI this is a setting of the tool, which clients use with streams and without.
    return { request: { ...request, partialImages: stream ? request.partialImages : 0 }, ignored };
  } catch (error) {
    throw asMemberError(error, body);
  }
}

/** What has no effect because of something else in the body. */
function idleIn({ members }: ResponsesBody, request: ImageRequest, images: readonly InputReference[]): string[] {
  const { user, stream } = members;
  const names: string[] = [];
  if (request.edit === undefined && images.length > 0) names.push('input.input_image');
  if (user !== undefined && user !== request.user) names.push('user');
  if (!stream && request.partialImages > 0) names.push('tools.partial_images');
  return names;
}

/** An error about a parameter of the Images API as one about the member of this body that it came from. */
export function asMemberError(error: unknown, body: Pick<ResponsesBody, 'options' | 'members'>): unknown {
  if (!(error instanceof GatewayError) || error.param === undefined) return error;
  const { param } = error;
  const member = memberOf(param, body);
  if (member === undefined) return error;
  return error.with({ param: member }, error.message.replaceAll(`'${param}'`, `'${member}'`));
}

function memberOf(param: string, { options, members }: Pick<ResponsesBody, 'options' | 'members'>): string | undefined {
  if (Object.hasOwn(options, param)) return `tools[0].${param}`;
  if (param === 'user' && members.safety_identifier !== undefined) return 'safety_identifier';
  return otherMembers[param];
}

/** Where the other members of an image request stand in this body. */
const otherMembers: Readonly<Record<string, string>> = {
  prompt: 'input',
  image: 'input',
  images: 'input',
  mask: 'tools[0].input_image_mask',
};
