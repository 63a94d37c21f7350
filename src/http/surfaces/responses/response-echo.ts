import type { ResponseMembers } from './response-members.ts';

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

/** @param tools as the response repeats them */
export function echoOf(members: ResponseMembers, tools: readonly unknown[]): ResponseEcho {
  const { model: _model, stream: _stream, stream_options: _options, include: _include, ...given } = members;
  const set = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(set), tools };
}
