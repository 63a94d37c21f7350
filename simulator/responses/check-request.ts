import type { PlainAnswer } from '../azure-errors.ts';
import { checkMembers } from '../check-parameters.ts';
import { flag, numberWithin, oneOf, type Rule, type Rules, textWithin } from '../parameter-rules.ts';
import { isObject, type RequestBody } from '../request-body.ts';
import { deprecatedAgent, invalidMember } from './response-errors.ts';

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

/** Says why the Responses API would refuse the members of this body, or undefined (CONTRACTS §3.4). */
export function checkRequest(body: RequestBody): PlainAnswer | undefined {
  const { agent, background, store, stream } = body;
  if (agent !== undefined) return deprecatedAgent();
  const refused = checkMembers(body, rules);
  if (refused !== undefined) return refused;
  // CONTRACTS §3.4: what runs in background has to be stored; a stream of it is not established.
  if (background === true && store === false) return invalidMember('store', 'must be true with background');
  if (background === true && stream === true) return invalidMember('stream', 'must be false with background');
  return undefined;
}
