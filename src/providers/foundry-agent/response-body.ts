import { GatewayError } from '../../domain/gateway-error.ts';
import type { EditInputs } from '../../domain/image-input.ts';
import type { ImageRequest } from '../../domain/image-request.ts';
import { jsonWithPictures, type Place } from '../../upstream/json-with-pictures.ts';
import type { PaidBody } from '../../upstream/paid-body.ts';
import { pictureParameters } from '../images-body.ts';

/** Who is asked to make the picture with its tool. */
export type Artist =
  /** An agent of the project; `key` is the member that names it, over which the documents differ. */
  | { readonly agent: string; readonly version?: string | undefined; readonly key: 'agent_reference' | 'agent' }
  /** A deployment of a chat model, which is given the tool. */
  | { readonly chatDeployment: string };

type Options = {
  readonly artist: Artist;
  /** What the image deployment is, e.g. `gpt-image-2`. */
  readonly imageModel: string;
  readonly isBackground: boolean;
};

const imageTool = 'image_generation';

/** Parameters beside the gateway's own that the tool is documented to have (CONTRACTS §3.4). */
const furtherOptions = ['complexity', 'frame_count', 'frame_duration_ms', 'svg'];

/**
 * The request for one picture in the words of the Responses API (CONTRACTS §3.4). Throws a GatewayError for a parameter
 * that the tool is not known to have: a caller must not make another tool of it.
 */
export function responseBody(request: ImageRequest, { artist, imageModel, isBackground }: Options): PaidBody {
  const { safety_identifier, ...extra } = request.extra;
  const unknown = Object.keys(extra).find((name) => !furtherOptions.includes(name));
  if (unknown !== undefined) throw unsupported(unknown);
  return jsonWithPictures((place) => {
    const options = toolOptions(request, extra, place);
    const tool = { type: imageTool, model: imageModel, ...options };
    // An agent has its tool, which only needs words for what the caller asked for.
    const needsTool = !('agent' in artist) || Object.values(options).some((value) => value !== undefined);
    return {
      ...artistMembers(artist),
      input: request.edit === undefined ? request.prompt : [editMessage(request.prompt, request.edit, place)],
      ...(needsTool && { tools: [tool] }),
      tool_choice: { type: imageTool },
      user: request.user,
      safety_identifier,
      stream: request.stream || undefined,
      // A stream needs no job beside it.
      background: (isBackground && !request.stream) || undefined,
    };
  });
}

function artistMembers(artist: Artist): Record<string, unknown> {
  if ('chatDeployment' in artist) return { model: artist.chatDeployment };
  return { [artist.key]: { type: 'agent_reference', name: artist.agent, version: artist.version } };
}

function toolOptions(
  request: ImageRequest,
  extra: Readonly<Record<string, unknown>>,
  place: Place,
): Record<string, unknown> {
  const { edit } = request;
  return {
    ...extra,
    ...pictureParameters(request),
    input_fidelity: request.inputFidelity,
    partial_images: request.partialImages || undefined,
    // The tool knows none of these three: they are here only where the operator wants everything to be forwarded.
    n: request.count === 1 ? undefined : request.count,
    style: request.style,
    response_format: request.delivery,
    action: edit && 'edit',
    input_image_mask: edit?.mask && { image_url: place(edit.mask) },
  };
}

function editMessage(prompt: string, { images }: EditInputs, place: Place): Record<string, unknown> {
  const pictures = images.map((image) => ({ type: 'input_image', image_url: place(image) }));
  return { type: 'message', role: 'user', content: [{ type: 'input_text', text: prompt }, ...pictures] };
}

function unsupported(param: string): GatewayError {
  return new GatewayError('unsupported_parameter', `'${param}' is not supported by this model.`, {
    param,
    outcome: 'refused',
  });
}
