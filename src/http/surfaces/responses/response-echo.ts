import { idleMembers, type ResponseMembers } from './response-members.ts';

/** What a response repeats of its request, member by member. Plain data. */
export type ResponseEcho = Readonly<Record<string, unknown>>;

/** What OpenAI's responses have where the request says nothing. */
const defaults = {
  instructions: null,
  max_output_tokens: null,
  max_tool_calls: null,
  parallel_tool_calls: false,
  previous_response_id: null,
  prompt_cache_key: null,
  reasoning: null,
  safety_identifier: null,
  service_tier: null,
  temperature: null,
  text: { format: { type: 'text' } },
  tool_choice: 'auto',
  top_logprobs: null,
  top_p: null,
  truncation: 'disabled',
  user: null,
};

/** That of a request of which nothing is known. */
export const plainEcho: ResponseEcho = { ...defaults, metadata: {}, tools: [{ type: 'image_generation' }] };

/** In characters of JSON. The echo is recorded with the job, and nobody needs a schema of texts to be repeated. */
const longestIdle = 1_000;

/** @param tools as the response repeats them */
export function echoOf(members: ResponseMembers, tools: readonly unknown[]): ResponseEcho {
  const { model: _model, stream: _stream, stream_options: _options, include: _include, ...given } = members;
  const repeated = Object.entries(given).filter(([name, value]) => value !== undefined && !isLongAndIdle(name, value));
  return { ...defaults, ...Object.fromEntries(repeated), tools };
}

function isLongAndIdle(name: string, value: unknown): boolean {
  const isIdle = name === 'tool_choice' || (idleMembers as readonly string[]).includes(name);
  return isIdle && JSON.stringify(value).length > longestIdle;
}
