import { invalidInputFidelityModel, missingParameter, type PlainResponse } from '../azure-errors.ts';
import {
  checkMembers,
  flag,
  integerWithin,
  numberWithin,
  oneOf,
  type Rule,
  type Rules,
  rulesOf,
  textWithin,
  wantsNoInputFidelity,
} from '../check-parameters.ts';
import type { Family } from '../families.ts';
import { isObject, type RequestBody } from '../incoming-request.ts';
import { deprecatedAgent, invalidMember, streamWithoutPartials } from './response-errors.ts';

const anything: Rule = () => undefined;
const reference: Rule = (value) => {
  const isGood =
    isObject(value) &&
    Object.keys(value).every((name) => ['type', 'name', 'version'].includes(name)) &&
    value.type === 'agent_reference' &&
    [value.name, value.version ?? 'none'].every((text) => typeof text === 'string' && text !== '');
  return isGood ? undefined : 'must be an agent_reference with name and, if at all, version';
};
const metadata: Rule = (value) =>
  isObject(value) && Object.values(value).every((text) => typeof text === 'string')
    ? undefined
    : 'must hold texts only';

const modes = oneOf('auto', 'none', 'required');
const toolChoice: Rule = (value, body) =>
  isObject(value) && value.type === 'image_generation' && Object.keys(value).length === 1
    ? undefined
    : modes(value, body);

// What stands in `input` and `tools` is checked elsewhere.
const rules: Rules = {
  model: textWithin(1, 200),
  temperature: numberWithin(0, 2),
  top_p: numberWithin(0, 1),
  agent_reference: reference,
  input: anything,
  tools: anything,
  tool_choice: toolChoice,
  stream: flag,
  background: flag,
  store: flag,
  user: textWithin(0, 1000),
  safety_identifier: textWithin(0, 1000),
  metadata,
  instructions: textWithin(0, 256_000),
  previous_response_id: textWithin(1, 200),
};

/** Says why the Responses API would refuse the members of this body, or undefined. */
export function checkRequest(body: RequestBody): PlainResponse | undefined {
  const { agent, background, store, stream } = body;
  if (agent !== undefined) return deprecatedAgent();
  const refused = checkMembers(body, rules);
  if (refused !== undefined) return refused;
  // What runs in background has to be stored; a stream of it is not established.
  if (background === true && store === false) return invalidMember('store', 'must be true with background');
  if (background === true && stream === true) return invalidMember('stream', 'must be false with background');
  return undefined;
}

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

/** Those of the image API without `n`, `user` and what belongs to the request. */
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
export function readTool({ tools, stream }: RequestBody, family: Family): { tool: RequestBody } | PlainResponse {
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
