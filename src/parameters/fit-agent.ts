import { type ImageRequest, wireNames } from '../domain/image-request.ts';
import { furtherToolOptions } from '../domain/image-tool.ts';
import { type AgentParameter, agentSentences } from './adaptations.ts';
import type { FitRule } from './fit.ts';
import { decidedByAgent } from './refusals.ts';

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
 * What an agent is asked for: a prompt that says in words what cannot be said by parameters. It is applied to what the
 * other rules leave, which are no defaults any more.
 */
export const fitAgent: FitRule = (request, _capabilities, policy) => {
  const { prompt, edit, extra, stream } = request;
  const wishes = wishesOf(request);
  const names = [...wishes.keys()];
  // An agent is asked for a stream only where partial images are wanted.
  const [first] = [...names, ...(stream ? ['partial_images'] : [])];
  // The caller knows an edit by its image, and has sent no `action`.
  if (first !== undefined && policy === 'strict') throw decidedByAgent(first === 'action' ? 'image' : first);
  return {
    members: {
      ...Object.fromEntries(toldMembers.map((member) => [member, undefined])),
      prompt: names.length === 0 ? prompt : `${prompt}\n\n${[...wishes.values()].join(' ')}`,
      extra: Object.fromEntries(Object.entries(extra).filter(([name]) => !isToolOption(name))),
      // A mask is an option of the tool, but any image can be shown to an agent.
      ...(edit?.mask && { edit: { ...edit, images: [...edit.images, edit.mask], mask: undefined } }),
    },
    adaptations: [
      ...names.map((name) => `${name}=prompt` as const),
      ...(stream ? (['partial_images=agent'] as const) : []),
    ],
  };
};

function isToolOption(name: string): boolean {
  return furtherToolOptions.some((option) => option === name);
}

/** What an agent is told, by the parameter that says it elsewhere. `auto` leaves the choice to it, as saying nothing does. */
function wishesOf(request: ImageRequest): ReadonlyMap<AgentParameter, string> {
  const { edit, extra } = request;
  const asked: [AgentParameter, unknown][] = [
    ['mask', edit?.mask && 'mask'],
    ...toldMembers.map((member): [AgentParameter, unknown] => [wireNames[member], request[member]]),
    ...furtherToolOptions.map((name): [AgentParameter, unknown] => [name, extra[name]]),
    ['action', edit && 'edit'],
  ];
  return new Map(
    asked
      .filter(([, value]) => value !== undefined && value !== 'auto')
      .map(([name, value]) => [name, sentence(name, value)]),
  );
}

function sentence(parameter: AgentParameter, value: unknown): string {
  return agentSentences[parameter].replace('%', () => (typeof value === 'string' ? value : JSON.stringify(value)));
}
