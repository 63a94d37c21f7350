import { z } from 'zod';
import type { JsonPath } from '../../../codec/json-scanner.ts';
import { GatewayError } from '../../../domain/gateway-error.ts';
import { invalidMember as invalid, memberName } from '../../uploads/member-name.ts';
import type { InputCount } from './input-count.ts';
import { tooLong } from './object-draft.ts';

const anything = z.unknown().optional();
const flag = z.boolean('must be true or false');
const name = z.string('must be a string').min(1, 'must not be empty').max(256, 'is too long');
const id = z.string('must be a string').regex(/^[\w-]{1,128}$/, 'is not the id of a response');

const agent = z.strictObject(
  {
    type: z.literal('agent_reference', "must be 'agent_reference'").optional(),
    name,
    version: z.string('must be a string').max(64, 'is too long').optional(),
  },
  'must be an object with the name of an agent',
);

/** OpenAI's limits: 16 pairs of names up to 64 characters, and texts up to 512. */
const metadata = z
  .record(
    z.string().min(1, 'has an empty or a very long name').max(64, 'has a name of more than 64 characters'),
    z.string('must be a string').max(512, 'is longer than 512 characters'),
    'must be an object of strings',
  )
  .refine((pairs) => Object.keys(pairs).length <= 16, 'may have 16 members at most');

/** What an image model has no use for: it has no effect. */
export const idleMembers = [
  ...['temperature', 'top_p', 'top_logprobs', 'max_output_tokens', 'max_tool_calls', 'parallel_tool_calls'],
  ...['reasoning', 'text', 'include', 'truncation', 'service_tier', 'stream_options'],
  ...['prompt_cache_key', 'prompt_cache_options', 'prompt_cache_retention'],
] as const;

/** OpenAI's CreateResponse without `input` and `tools`, which are read while they arrive. */
export const responseMembers = z.strictObject({
  model: name.optional(),
  instructions: z.string('must be a string').optional(),
  agent_reference: agent.optional(),
  /** The name that early versions of Azure's agents knew. */
  agent: agent.optional(),
  previous_response_id: id.optional(),
  stream: flag.default(false),
  background: flag.default(false),
  store: flag.default(true),
  metadata: metadata.default({}),
  user: z.string('must be a string').max(1024, 'is too long').optional(),
  safety_identifier: z.string('must be a string').max(1024, 'is too long').optional(),
  tool_choice: anything,
  ...(Object.fromEntries(idleMembers.map((member) => [member, anything])) as Record<
    (typeof idleMembers)[number],
    typeof anything
  >),
});

export type ResponseMembers = z.infer<typeof responseMembers>;

/** OpenAI has these, but what they stand for is not here. */
const refused: Readonly<Record<string, string>> = {
  conversation: "this gateway keeps no conversations. Use 'previous_response_id'",
  prompt: 'this gateway keeps no prompts',
  context_management: 'an image model has no context to manage',
  moderation: "set it in the image tool, as 'tools[0].moderation'",
  image: 'it is about the context of a chat model',
  access_programs: 'it is about chat models',
};

/** Collects the members of a body beside `input` and `tools`. */
export class MemberValues {
  readonly #count: InputCount;
  readonly #values = new Map<string, unknown>();
  /** Of members that are objects, so that a name within them that is given twice is noticed. */
  readonly #objects = new Map<string, Map<string, unknown>>();

  constructor(count: InputCount) {
    this.#count = count;
  }

  /** A value, or `tooLong` in its place. Throws a GatewayError that names it where it cannot stand. */
  addValue(path: JsonPath, value: unknown): void {
    if (value === null) return;
    const [member, inner] = path;
    const param = memberName(path);
    checkName(String(member), param);
    if (value === tooLong) throw invalid(param, 'is too long, or nested too deeply');
    this.#count.countText(value);
    // An object cannot have it as a member like any other.
    if (inner === '__proto__') throw invalid(String(member), 'has a member whose name is not allowed');
    if (inner === undefined) this.#values.set(String(member), value);
    else this.#objectAt(String(member)).set(String(inner), value);
  }

  /** An object has ended. */
  close([member]: JsonPath): void {
    this.#objectAt(String(member));
  }

  /** Throws a GatewayError that names the member at fault. */
  parse(): ResponseMembers {
    const objects = [...this.#objects].map(([member, entries]) => [member, Object.fromEntries(entries)]);
    const given = { ...Object.fromEntries(this.#values), ...Object.fromEntries(objects) };
    const parsed = responseMembers.safeParse(given, { reportInput: true });
    if (parsed.success) return parsed.data;
    throw problemOf(parsed.error);
  }

  #objectAt(member: string): Map<string, unknown> {
    const object = this.#objects.get(member) ?? new Map();
    this.#objects.set(member, object);
    return object;
  }
}

function checkName(member: string, param: string): void {
  if (Object.hasOwn(responseMembers.shape, member)) return;
  const reason = Object.hasOwn(refused, member) ? refused[member] : undefined;
  if (reason === undefined) throw invalid(param, 'is not known', 'unknown_parameter');
  throw invalid(param, `is not supported: ${reason}`, 'unsupported_parameter');
}

function problemOf({ issues: [issue] }: z.ZodError): GatewayError {
  const path = (issue?.path ?? []) as JsonPath;
  if (issue?.code === 'unrecognized_keys') {
    return invalid(memberName([...path, ...issue.keys.slice(0, 1)]), 'is not known', 'unknown_parameter');
  }
  if (issue?.code === 'invalid_key') return invalid(memberName(path.slice(0, -1)), issue.issues[0]?.message ?? '');
  const param = memberName(path);
  const isMissing = issue?.code === 'invalid_type' && issue.input === undefined;
  if (isMissing) return new GatewayError('missing_required_parameter', `'${param}' is missing.`, { param });
  return invalid(param, issue?.message ?? 'is not valid');
}
