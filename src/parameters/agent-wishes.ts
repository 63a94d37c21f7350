import { GatewayError } from '../domain/gateway-error.ts';
import { type ImageRequest, wireNames } from '../domain/image-request.ts';
import { furtherToolOptions } from '../domain/image-tool.ts';
import { type AdaptationName, type AgentParameter, agentSentences } from './adaptations.ts';

/** Members that an agent is told of. */
const toldMembers = [
  'size',
  'quality',
  'background',
  'outputFormat',
  'outputCompression',
  'moderation',
  'inputFidelity',
] as const satisfies readonly (keyof ImageRequest)[];

/**
 * What an agent is asked for: a prompt that says in words what cannot be said by parameters. Applied last, to what is left
 * without defaults. Throws a GatewayError under `strict`, because an agent guarantees nothing.
 */
export function tellAgent(
  request: ImageRequest,
  policy: 'adapt' | 'strict',
): { readonly request: ImageRequest; readonly adaptations: readonly AdaptationName[] } {
  const { prompt, edit, extra, stream } = request;
  const wishes = wishesOf(request);
  const names = wishes.map(({ name }) => name);
  // An agent is asked for a stream only where partial images are wanted.
  const [first] = [...names, ...(stream ? ['partial_images'] : [])];
  // The caller knows an edit by its image, and has sent no `action`.
  if (first !== undefined && policy === 'strict') throw decidedByAgent(first === 'action' ? 'image' : first);
  const told = {
    ...request,
    ...Object.fromEntries(toldMembers.map((member) => [member, undefined])),
    prompt: wishes.length === 0 ? prompt : `${prompt}\n\n${wishes.map(({ sentence }) => sentence).join(' ')}`,
    extra: Object.fromEntries(Object.entries(extra).filter(([name]) => !isToolOption(name))),
    // A mask is an option of the tool, but any image can be shown to an agent.
    ...(edit?.mask && { edit: { ...edit, images: [...edit.images, edit.mask], mask: undefined } }),
  };
  const adaptations = names.map((name) => `${name}=prompt` as const);
  return { request: told, adaptations: stream ? [...adaptations, 'partial_images=agent'] : adaptations };
}

function isToolOption(name: string): boolean {
  return furtherToolOptions.some((option) => option === name);
}

type Wish = { readonly name: AgentParameter; readonly sentence: string };

/** `auto` leaves the choice to the agent, as saying nothing does. */
function wishesOf(request: ImageRequest): readonly Wish[] {
  const { edit, extra } = request;
  const asked: [AgentParameter, unknown][] = [
    ['mask', edit?.mask && 'mask'],
    ...toldMembers.map((member): [AgentParameter, unknown] => [wireNames[member], request[member]]),
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
