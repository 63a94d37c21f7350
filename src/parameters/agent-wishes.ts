import { GatewayError } from '../domain/gateway-error.ts';
import { type ImageRequest, wireNames } from '../domain/image-request.ts';
import { furtherToolOptions } from '../domain/image-tool.ts';
import { type AdaptationName, type AgentParameter, agentSentences } from './adaptations.ts';

/** The members that become sentences of the prompt. */
const promptMembers = [
  'size',
  'quality',
  'background',
  'outputFormat',
  'outputCompression',
  'moderation',
  'inputFidelity',
] as const satisfies readonly (keyof ImageRequest)[];

/**
 * An agent takes no parameters, so the prompt says in words what is asked for. Applied last, when defaults have been left
 * out. Throws a GatewayError under `strict`, because an agent guarantees nothing.
 */
export function adaptToAgent(
  request: ImageRequest,
  policy: 'adapt' | 'strict',
): { readonly request: ImageRequest; readonly adaptations: readonly AdaptationName[] } {
  const { prompt, edit, extra, stream } = request;
  const wishes = wishesOf(request);
  const names = wishes.map(({ name }) => name);
  // An agent is asked for a stream only where partial images are wanted.
  const [first] = [...names, ...(stream ? ['partial_images'] : [])];
  // The caller sent no `action`: its edit is known by the image.
  if (first !== undefined && policy === 'strict') throw decidedByAgent(first === 'action' ? 'image' : first);
  const adapted = {
    ...request,
    ...Object.fromEntries(promptMembers.map((member) => [member, undefined])),
    prompt: wishes.length === 0 ? prompt : `${prompt}\n\n${wishes.map(({ sentence }) => sentence).join(' ')}`,
    extra: Object.fromEntries(Object.entries(extra).filter(([name]) => !isToolOption(name))),
    // A mask is an option of the image tool, which an agent does not take, but it takes further images.
    ...(edit?.mask && { edit: { ...edit, images: [...edit.images, edit.mask], mask: undefined } }),
  };
  const adaptations = names.map((name) => `${name}=prompt` as const);
  return { request: adapted, adaptations: stream ? [...adaptations, 'partial_images=agent'] : adaptations };
}

function isToolOption(name: string): boolean {
  return furtherToolOptions.some((option) => option === name);
}

type Wish = { readonly name: AgentParameter; readonly sentence: string };

/** `auto` is left out: it leaves the choice to the agent, as saying nothing does. */
function wishesOf(request: ImageRequest): readonly Wish[] {
  const { edit, extra } = request;
  const asked: [AgentParameter, unknown][] = [
    ['mask', edit?.mask && 'mask'],
    ...promptMembers.map((member): [AgentParameter, unknown] => [wireNames[member], request[member]]),
    ...furtherToolOptions.map((name): [AgentParameter, unknown] => [name, extra[name]]),
    ['action', edit && 'edit'],
  ];
  return asked
    .filter(([, value]) => value !== undefined && value !== 'auto')
    .map(([name, value]) => {
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      return { name, sentence: agentSentences[name].replace('%', () => text) };
    });
}

function decidedByAgent(param: string): GatewayError {
  const message = `'${param}' cannot be guaranteed for this model: its agent decides.`;
  return new GatewayError('unsupported_parameter', message, { param });
}
