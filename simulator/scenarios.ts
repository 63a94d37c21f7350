/**
 * Where a scenario means something: in any flow, in the legacy flow or in all others, for one family, in an edit that is not
 * for MAI-Image or FLUX, in an answer that is streamed, where a chat model calls for images, or where an image is downloaded.
 */
export type ScenarioReach = 'all' | 'legacy' | 'synchronous' | 'gpt-image' | 'edit' | 'stream' | 'agent' | 'download';

/** One line of the scenario table. */
export type ScenarioDescription = {
  readonly name: string;
  /** What happens, in one sentence. */
  readonly does: string;
  readonly reach: ScenarioReach;
  /** Whether Azure would have made images, and so would bill them. */
  readonly billed: boolean;
  /** The number that may follow the name (`slow-3000`): its unit, and the value when none follows. */
  readonly value?: { readonly unit: string; readonly standard: number; readonly maximum?: number };
};

const milliseconds = (standard: number) => ({ unit: 'milliseconds', standard }) as const;
const seconds = (standard: number) => ({ unit: 'seconds', standard }) as const;
const polls = (standard: number) => ({ unit: 'polls', standard }) as const;
const megabytes = (standard: number, maximum = 64) => ({ unit: 'megabytes', standard, maximum }) as const;

/** The scenarios of the Responses protocol, where a chat model stands between caller and images. */
const agentScenarios = [
  { name: 'agent-text-only', does: 'the model writes a text and makes no image', reach: 'agent', billed: false },
  { name: 'agent-refusal', does: 'the model refuses in a message', reach: 'agent', billed: false },
  { name: 'agent-two-images', does: 'the model calls the tool twice', reach: 'agent', billed: true },
  { name: 'agent-failed', does: 'the response fails: server_error', reach: 'agent', billed: false },
  {
    name: 'agent-failed-rate-limit',
    does: 'the response fails: rate_limit_exceeded',
    reach: 'agent',
    billed: false,
  },
  {
    name: 'agent-failed-policy',
    does: 'the response fails: image_content_policy_violation',
    reach: 'agent',
    billed: false,
  },
  { name: 'agent-failed-image', does: 'the response fails: invalid_image', reach: 'agent', billed: false },
  {
    name: 'agent-call-failed',
    does: 'the response completes, its image call failed: moderation_blocked',
    reach: 'agent',
    billed: false,
  },
  { name: 'agent-incomplete', does: 'the response is incomplete: max_output_tokens', reach: 'agent', billed: false },
  {
    name: 'agent-incomplete-filter',
    does: 'the response is incomplete: content_filter',
    reach: 'agent',
    billed: false,
  },
  { name: 'agent-cancelled', does: 'the response is cancelled, by no client', reach: 'agent', billed: false },
  {
    name: 'agent-huge-prompt',
    does: 'a revised prompt of many kilobytes',
    reach: 'agent',
    billed: true,
    value: { unit: 'kilobytes', standard: 512, maximum: 65_536 },
  },
  {
    name: 'agent-huge-echo',
    does: 'instructions of many megabytes before the output',
    reach: 'agent',
    billed: true,
    value: { unit: 'megabytes', standard: 8, maximum: 64 },
  },
  {
    name: 'agent-in-progress',
    does: 'in_progress without output, though background was not requested',
    reach: 'agent',
    billed: true,
  },
  {
    name: 'agent-error-details',
    does: 'a refusal of the request names its parameter among details only',
    reach: 'agent',
    billed: true,
  },
  { name: 'agent-opaque', does: '400 that says there was an issue', reach: 'agent', billed: false },
  { name: 'agent-late-members', does: 'result first, type and status last', reach: 'agent', billed: true },
  {
    name: 'agent-completed-only',
    does: 'a stream whose image is in response.completed only',
    reach: 'agent',
    billed: true,
  },
  { name: 'agent-lost', does: 'every poll of a background response finds nothing', reach: 'agent', billed: true },
  {
    name: 'agent-poll-500',
    does: 'the first polls of a background response answer 500',
    reach: 'agent',
    billed: true,
    value: { unit: 'polls', standard: 2 },
  },
  { name: 'agent-stuck', does: 'a background response stays in_progress for ever', reach: 'agent', billed: true },
] as const;

/** Every scenario. Statuses and bodies are those that Azure documents, or that its users report. */
export const scenarios = [
  { name: 'none', does: 'answers as Azure does when all is well', reach: 'all', billed: true },

  { name: 'slow', does: 'waits before the headers', reach: 'all', billed: true, value: milliseconds(1000) },
  {
    name: 'slow-body',
    does: 'pauses in the middle of the body',
    reach: 'all',
    billed: true,
    value: milliseconds(1000),
  },
  { name: 'hang', does: 'accepts and never answers', reach: 'all', billed: true },

  { name: '429-ms', does: '429 with retry-after-ms', reach: 'all', billed: false, value: milliseconds(1500) },
  { name: '429-seconds', does: '429 with Retry-After in seconds', reach: 'all', billed: false, value: seconds(2) },
  { name: '429-date', does: '429 with Retry-After as a date', reach: 'all', billed: false, value: seconds(2) },
  { name: '429-text', does: '429, the wait only in the text', reach: 'all', billed: false, value: seconds(38) },
  { name: '429-flat', does: '429 as API Management writes it', reach: 'all', billed: false, value: seconds(38) },
  { name: '429-none', does: '429 without any hint how long to wait', reach: 'all', billed: false },
  { name: '429-quota', does: '429 because the quota is used up', reach: 'all', billed: false },
  { name: '503-busy', does: '503 overloaded, with Retry-After', reach: 'all', billed: false, value: seconds(2) },

  { name: '500', does: '500 with an error object', reach: 'all', billed: false },
  { name: '500-html', does: '500 as an HTML page', reach: 'all', billed: true },
  { name: '502-html', does: '502 as the HTML page of a proxy', reach: 'all', billed: true },
  { name: '503', does: '503 with an error object and no wait', reach: 'all', billed: false },
  { name: '504', does: '504 with an empty body', reach: 'all', billed: true },
  { name: '408', does: '408, the operation timed out', reach: 'all', billed: true },
  { name: '409', does: '409, a conflict', reach: 'all', billed: false },
  { name: '403-blocked', does: '403, the whole resource is blocked', reach: 'all', billed: false },
  { name: '403', does: '403, the network rules forbid it', reach: 'all', billed: false },
  { name: '404-deployment', does: '404 DeploymentNotFound', reach: 'all', billed: false },
  { name: '404-resource', does: '404 Resource not found', reach: 'all', billed: false },
  { name: 'redirect', does: '307 to another path on another host', reach: 'all', billed: false },
  { name: 'unknown-parameter', does: '400 unknown_parameter', reach: 'all', billed: false },
  { name: 'invalid-size', does: '400 invalid_value for size', reach: 'all', billed: false },

  { name: 'filter-policy', does: '400 content_policy_violation', reach: 'all', billed: false },
  { name: 'filter-inner', does: '400 content_filter with inner_error', reach: 'all', billed: false },
  { name: 'filter-200-task', does: '200 whose body says the task was filtered', reach: 'all', billed: false },
  { name: 'filter-200-image', does: '200 whose body says the image was filtered', reach: 'all', billed: true },
  { name: 'moderation-blocked', does: '400 moderation_blocked', reach: 'all', billed: false },
  { name: 'filter-item', does: 'the last item, or the last event, is an error', reach: 'synchronous', billed: true },

  { name: 'text-plain', does: 'the right JSON called text/plain', reach: 'all', billed: true },
  { name: 'octet-stream', does: 'the right JSON called octet-stream', reach: 'all', billed: true },
  { name: 'html-200', does: '200 with an HTML page', reach: 'all', billed: true },
  { name: 'truncated-length', does: 'the body ends before its content-length', reach: 'all', billed: true },
  { name: 'truncated-chunked', does: 'the chunked body ends without its last chunk', reach: 'all', billed: true },
  { name: 'truncated-close', does: 'a close-delimited body is cut in the middle', reach: 'all', billed: true },
  { name: 'reset', does: 'the connection is reset in the body', reach: 'all', billed: true },
  { name: 'reset-before-headers', does: 'the connection is reset before the headers', reach: 'all', billed: true },
  {
    name: 'empty-data',
    does: '200 with empty data, or a completed event without image',
    reach: 'synchronous',
    billed: true,
  },
  { name: 'no-created', does: '200 without created', reach: 'synchronous', billed: true },
  { name: 'not-an-image', does: 'bytes that are no image', reach: 'all', billed: true },
  { name: 'error-in-200', does: '200 whose body is an error object', reach: 'all', billed: false },
  { name: 'url-item', does: 'a GPT image model answers a url', reach: 'gpt-image', billed: true },
  { name: 'big', does: 'an image padded to many megabytes', reach: 'all', billed: true, value: megabytes(8) },
  { name: 'escaped', does: 'JSON with escapes, odd order and whitespace', reach: 'all', billed: true },
  { name: 'extra-fields', does: 'large, nested, unknown members', reach: 'all', billed: true },

  { name: 'unsupported-content-type', does: '400, says that it takes no forms', reach: 'edit', billed: false },
  {
    name: 'unsupported-content-type-once',
    does: 'the same for the first call with a prompt only',
    reach: 'edit',
    billed: true,
  },

  { name: 'stream-error-nested', does: 'refused by an error event { error }', reach: 'stream', billed: false },
  { name: 'stream-error-flat', does: 'refused by an error event { type, code }', reach: 'stream', billed: false },
  { name: 'stream-error-late', does: 'refused after the first partial image', reach: 'stream', billed: true },
  { name: 'stream-cut', does: 'ends after the first partial image', reach: 'stream', billed: true },
  { name: 'stream-reset', does: 'is reset after the first partial image', reach: 'stream', billed: true },
  { name: 'stream-stall', does: 'falls silent after the first partial image', reach: 'stream', billed: true },
  {
    name: 'stream-stall-comments',
    does: 'sends comments only after the first partial image',
    reach: 'stream',
    billed: true,
  },
  { name: 'stream-json', does: 'plain JSON instead of a stream', reach: 'stream', billed: true },
  { name: 'stream-crlf', does: 'lines end in CR LF', reach: 'stream', billed: true },
  { name: 'stream-cr', does: 'lines end in CR', reach: 'stream', billed: true },
  { name: 'stream-comments', does: 'comments and events without data in between', reach: 'stream', billed: true },
  { name: 'stream-bom', does: 'begins with a byte order mark', reach: 'stream', billed: true },
  { name: 'stream-no-event-names', does: 'data lines only', reach: 'stream', billed: true },
  { name: 'stream-split', does: 'comes in single bytes and small pieces', reach: 'stream', billed: true },
  { name: 'stream-done', does: 'data: [DONE] at the end', reach: 'stream', billed: true },
  { name: 'stream-double', does: 'completed comes twice', reach: 'stream', billed: true },
  { name: 'stream-unordered', does: 'the last partial image comes first', reach: 'stream', billed: true },
  { name: 'stream-big', does: 'a huge completed event', reach: 'stream', billed: true, value: megabytes(8, 100) },
  { name: 'stream-unknown-events', does: 'events of unknown types in between', reach: 'stream', billed: true },
  { name: 'stream-late-members', does: 'b64_json first, type last', reach: 'stream', billed: true },

  ...agentScenarios,

  { name: 'operation-failed', does: 'the operation fails', reach: 'legacy', billed: false },
  { name: 'operation-filtered', does: 'the operation fails: contentFilter', reach: 'legacy', billed: false },
  { name: 'operation-item-filtered', does: 'succeeded, the last item an error', reach: 'legacy', billed: true },
  { name: 'operation-canceled', does: 'the operation times out: canceled', reach: 'legacy', billed: false },
  { name: 'operation-deleted', does: 'the operation ends as deleted', reach: 'legacy', billed: true },
  { name: 'operation-unknown-status', does: 'an unknown status, forever', reach: 'legacy', billed: true },
  { name: 'operation-never', does: 'the operation runs for ever', reach: 'legacy', billed: true },
  { name: 'operation-404', does: 'the first polls find nothing', reach: 'legacy', billed: true, value: polls(2) },
  { name: 'operation-lost', does: 'every poll finds nothing', reach: 'legacy', billed: true },
  { name: 'operation-no-header', does: '202 without operation-location', reach: 'legacy', billed: true },
  { name: 'operation-foreign-host', does: 'operation-location on another host', reach: 'legacy', billed: true },
  { name: 'operation-outside', does: 'operation-location outside /openai/', reach: 'legacy', billed: true },
  { name: 'operation-relative', does: 'operation-location without a host', reach: 'legacy', billed: true },
  { name: 'operation-poll-429', does: 'the first polls answer 429', reach: 'legacy', billed: true, value: polls(2) },
  { name: 'operation-poll-500', does: 'the first polls answer 500', reach: 'legacy', billed: true, value: polls(2) },
  {
    name: 'operation-retry-after',
    does: 'asks to wait between polls',
    reach: 'legacy',
    billed: true,
    value: seconds(1),
  },
  { name: 'operation-top-level-data', does: 'data beside status, not in result', reach: 'legacy', billed: true },
  { name: 'operation-empty', does: 'succeeded without any image', reach: 'legacy', billed: true },
  { name: 'operation-redirect', does: 'polls answer 302 to another host', reach: 'legacy', billed: true },
  { name: 'operation-big', does: 'a huge poll body', reach: 'legacy', billed: true, value: megabytes(10) },

  { name: 'download-403', does: 'the image is forbidden', reach: 'download', billed: true },
  { name: 'download-404', does: 'the image is gone', reach: 'download', billed: true },
  { name: 'download-500-once', does: 'the first download of an image fails', reach: 'download', billed: true },
  { name: 'download-html', does: 'an HTML page instead of the image', reach: 'download', billed: true },
  { name: 'download-truncated', does: 'the image ends too early', reach: 'download', billed: true },
  { name: 'download-redirect', does: '302 to another host', reach: 'download', billed: true },
  { name: 'download-gzip', does: 'the image comes gzipped', reach: 'download', billed: true },
  { name: 'download-not-an-image', does: 'image/png that is no image', reach: 'download', billed: true },
  { name: 'download-foreign', does: 'the url is on another host', reach: 'download', billed: true },
] as const satisfies readonly ScenarioDescription[];

/** The name of a scenario, without its value. */
export type ScenarioName = (typeof scenarios)[number]['name'];
