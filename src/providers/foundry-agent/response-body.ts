import { GatewayError } from '../../domain/gateway-error.ts';
import type { EditInputs } from '../../domain/image-input.ts';
import type { ImageRequest } from '../../domain/image-request.ts';
import { furtherToolOptions } from '../../domain/image-tool.ts';
import type { PaidBody } from '../../upstream/client.ts';
import { jsonWithImages, type Place } from '../../upstream/image-bodies.ts';
import { imageParameters } from '../azure/images-body.ts';
import type { FoundryAgentConfig } from './foundry-target.ts';

const imageTool = 'image_generation';

/**
 * The request for one image in the words of the Responses API. With an agent that refuses `tools`, `tool_choice` and
 * `model`, so its request has none. Throws a GatewayError for a parameter that the tool is not known to have: a caller
 * must not make another tool of it.
 */
export function responseBody(request: ImageRequest, config: FoundryAgentConfig): PaidBody {
  const { chatDeployment, model, background } = config;
  const { safety_identifier, ...extra } = request.extra;
  const known: readonly string[] = chatDeployment === undefined ? [] : furtherToolOptions;
  const unknown = Object.keys(extra).find((name) => !known.includes(name));
  if (unknown !== undefined) throw unsupported(unknown);
  const build = (place: Place) => ({
    ...callerMembers(config),
    input: request.edit === undefined ? request.prompt : [editMessage(request.prompt, request.edit, place)],
    ...(chatDeployment !== undefined && {
      tools: [{ type: imageTool, model, ...toolOptions(request, extra, place) }],
      tool_choice: { type: imageTool },
    }),
    user: request.user,
    safety_identifier,
    stream: request.stream || undefined,
    // A stream needs no job beside it.
    background: (background && !request.stream) || undefined,
  });
  return jsonWithImages(build, request.edit?.inputs);
}

/** Who calls the tool. */
function callerMembers({ agent, agentVersion, chatDeployment }: FoundryAgentConfig): Record<string, unknown> {
  if (chatDeployment !== undefined) return { model: chatDeployment };
  return agent === undefined
    ? {}
    : { agent_reference: { type: 'agent_reference', name: agent, version: agentVersion } };
}

function toolOptions(
  request: ImageRequest,
  extra: Readonly<Record<string, unknown>>,
  place: Place,
): Record<string, unknown> {
  const { edit } = request;
  return {
    ...extra,
    ...imageParameters(request),
    input_fidelity: request.inputFidelity,
    // The tool refuses a stream without partial images; those that the caller does not want are dropped.
    partial_images: request.stream ? Math.max(request.partialImages, 1) : undefined,
    // The tool knows none of these three: they are here only where the operator wants everything to be forwarded.
    n: request.count === 1 ? undefined : request.count,
    style: request.style,
    response_format: request.delivery,
    action: edit && 'edit',
    input_image_mask: edit?.mask && { image_url: place(edit.mask) },
  };
}

function editMessage(prompt: string, { images }: EditInputs, place: Place): Record<string, unknown> {
  const items = images.map((image) => ({ type: 'input_image', image_url: place(image) }));
  return { type: 'message', role: 'user', content: [{ type: 'input_text', text: prompt }, ...items] };
}

function unsupported(param: string): GatewayError {
  return new GatewayError('unsupported_parameter', `'${param}' is not supported by this model.`, {
    param,
    outcome: 'refused',
  });
}

/** Parameters of the Responses API that callers set by the same name. */
const topLevel = ['user', 'safety_identifier'];

/** What the operator has chosen; Azure's other surfaces say `model` when they do not accept such a thing. */
const operators = [
  'model',
  'tools',
  'tool_choice',
  'temperature',
  'top_p',
  'agent',
  'agent_reference',
  'store',
  'background',
  'stream',
];

/**
 * The caller's name for a parameter that the Responses API complains of; `model` for what only the operator can change,
 * `undefined` for what nobody has set.
 */
export function toolParameter(name: string): string | undefined {
  const [, option] = /^tools\[\d+\]\.(\w+)/.exec(name) ?? [];
  if (option === 'type') return 'model';
  if (option === 'input_image_mask') return 'mask';
  if (option !== undefined) return option;
  if (/^input\b.*image_url/.test(name)) return 'image';
  if (/^input\b/.test(name)) return 'prompt';
  if (operators.some((own) => name === own || name.startsWith(`${own}.`) || name.startsWith(`${own}[`))) return 'model';
  return topLevel.find((own) => name === own);
}

/** The same of an agent, whose tool the operator has defined: no caller has set an option of it. */
export function agentParameter(name: string): string | undefined {
  return name.startsWith('tools') ? 'model' : toolParameter(name);
}
