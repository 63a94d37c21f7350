import { invalidInputFidelityModel, missingParameter, type PlainAnswer } from '../azure-errors.ts';
import { checkMembers } from '../check-parameters.ts';
import type { Family } from '../families.ts';
import { integerWithin, oneOf, type Rule, type Rules, rulesOf, wantsNoInputFidelity } from '../parameter-rules.ts';
import { isObject, type RequestBody } from '../request-body.ts';
import { invalidMember, streamWithoutPartials } from './response-errors.ts';

/** The tool that all agents of the simulator have. */
export const agentTool: RequestBody = {
  type: 'image_generation',
  size: '1024x1024',
  quality: 'low',
  output_format: 'png',
  background: 'opaque',
  partial_images: 1,
};

const mask: Rule = (value) =>
  isObject(value) && Object.keys(value).join() === 'image_url' && typeof value.image_url === 'string'
    ? undefined
    : 'must hold an image_url and nothing else';

/** CONTRACTS §3.4, tool options: those of the image API without `n`, `user` and what belongs to the request. */
function toolRulesOf(family: Family): Rules {
  const { prompt, n, user, stream, ...shared } = rulesOf(family, 'edit');
  return {
    ...shared,
    type: oneOf('image_generation'),
    model: oneOf(family.name),
    partial_images: integerWithin(0, 3),
    action: oneOf('generate', 'edit', 'auto'),
    input_image_mask: mask,
  };
}

/** The options of the request's one tool, or why Azure would refuse them. */
export function readTool({ tools, stream }: RequestBody, family: Family): { tool: RequestBody } | PlainAnswer {
  if (tools === undefined) return missingParameter('tools');
  const [tool] = Array.isArray(tools) ? tools : [];
  if (!Array.isArray(tools) || tools.length !== 1 || !isObject(tool) || tool.type !== 'image_generation') {
    return invalidMember('tools', 'must hold one tool of type image_generation');
  }
  if (tool.input_fidelity !== undefined && wantsNoInputFidelity(family)) return invalidInputFidelityModel(family.name);
  const refused = checkMembers(tool, toolRulesOf(family), (name) => `tools[0].${name}`);
  if (refused !== undefined) return refused;
  return stream === true && !Number(tool.partial_images) ? streamWithoutPartials() : { tool };
}
