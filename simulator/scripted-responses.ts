import {
  azureError,
  deploymentNotFound,
  filteredImage,
  filteredTask,
  moderationBlocked,
  type PlainResponse,
  refusal,
  resourceNotFound,
  unknownParameter,
  unsupportedForm,
} from './azure-errors.ts';
import type { Scenario } from './choose-scenario.ts';
import type { Flow } from './ledger.ts';
import { asMaiResponse } from './mai-errors.ts';
import { rateLimit } from './quota.ts';
import type { ScenarioName } from './scenarios.ts';

/** What a scripted response may contain. `otherOrigin` is a second name of the simulator, or a host that is nowhere. */
type ScriptContext = {
  readonly flow: Flow;
  readonly apiVersion: string;
  readonly otherOrigin: string;
  readonly requestId: string;
};

type Script = (value: number, context: ScriptContext) => PlainResponse | undefined;

const busyPage = (title: string) => `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`;
const html = (status: number, title: string): PlainResponse => ({
  status,
  contentType: 'text/html',
  body: busyPage(title),
});
const withHeaders = (response: PlainResponse, headers: Record<string, string>): PlainResponse => ({
  ...response,
  headers,
});
const now = () => Math.floor(Date.now() / 1000);

const harmless = { filtered: false, severity: 'safe' };
const policyFilter = {
  hate: harmless,
  jailbreak: { detected: false, filtered: false },
  self_harm: harmless,
  sexual: { filtered: true, severity: 'high' },
  violence: harmless,
};
const safetySystem = 'Your request was rejected as a result of our safety system.';

const scripts: Partial<Record<ScenarioName, Script>> = {
  '429-ms': (wait, { apiVersion }) => withHeaders(rateLimit(apiVersion, ''), { 'retry-after-ms': `${wait}` }),
  '429-seconds': (wait, { apiVersion }) => withHeaders(rateLimit(apiVersion, ''), { 'retry-after': `${wait}` }),
  '429-date': (wait, { apiVersion }) => {
    const date = new Date(Date.now() + wait * 1000).toUTCString();
    return withHeaders(rateLimit(apiVersion, ''), { 'retry-after': date });
  },
  '429-text': (wait, { apiVersion }) => rateLimit(apiVersion, ` Please retry after ${wait} seconds.`),
  // API Management writes its own, flat body.
  '429-flat': (wait) => ({
    status: 429,
    body: { statusCode: 429, message: `Rate limit is exceeded. Try again in ${wait} seconds.` },
  }),
  '429-none': (_, { apiVersion }) => rateLimit(apiVersion, ''),
  '429-quota': () => ({
    ...refusal('You exceeded your current quota.', null, 'insufficient_quota', 'insufficient_quota'),
    status: 429,
  }),
  '503-busy': (wait) =>
    withHeaders(azureError(503, 'EngineOverloaded', 'The engine is currently overloaded, please try again later.'), {
      'retry-after': `${wait}`,
    }),

  '500': () => azureError(500, 'InternalServerError', 'The server had an error while processing your request.'),
  '500-html': () => html(500, '500 Internal Server Error'),
  '502-html': () => html(502, '502 Bad Gateway'),
  '503': () => azureError(503, 'ServiceUnavailable', 'The service is temporarily unable to process your request.'),
  '504': () => ({ status: 504, body: undefined }),
  '408': () => azureError(408, 'Timeout', 'The operation was timeout.'),
  '409': () => azureError(409, 'Conflict', 'The request conflicts with another one.'),
  // The text mentions content policy, but every prompt is refused.
  '403-blocked': () => {
    const reason = 'because we detected behavior that may violate our content policy';
    return azureError(403, 'Forbidden', `Your resource has been temporarily blocked ${reason}.`);
  },
  '403': () => azureError(403, 'AccessDenied', 'Access denied due to Virtual Network/Firewall rules.'),
  '404-deployment': deploymentNotFound,
  '404-resource': resourceNotFound,
  redirect: (_, { otherOrigin }) => ({
    status: 307,
    headers: { location: `${otherOrigin}/redirected` },
    body: undefined,
  }),
  'unknown-parameter': () => unknownParameter('seed'),
  'unsupported-content-type': unsupportedForm,
  'invalid-size': () => refusal("Invalid value for 'size'.", 'size', 'invalid_value', 'image_generation_user_error'),
  'error-in-200': () => ({ ...azureError(200, 'InternalServerError', 'The image could not be made.') }),
  'html-200': () => html(200, 'Welcome'),

  'filter-policy': () => {
    const inner = {
      code: 'ResponsibleAIPolicyViolation',
      content_filter_results: { jailbreak: { detected: false, filtered: false } },
    };
    const error = { code: 'content_policy_violation', inner_error: inner, message: safetySystem };
    return { status: 400, body: { error: { ...error, type: 'invalid_request_error' } } };
  },
  // The 2023 specification spells the member innererror; Azure sends inner_error.
  'filter-inner': () => {
    const inner = {
      code: 'ResponsibleAIPolicyViolation',
      content_filter_results: policyFilter,
      revised_prompt: 'A vivid scene',
    };
    const message = 'The response was filtered because the prompt triggered the content management policy.';
    const error = { code: 'content_filter', message, param: 'prompt', type: null, status: 400, inner_error: inner };
    return { status: 400, body: { error } };
  },
  // The status is not stated there; 200 is the harder case for a reader.
  'filter-200-task': (_, { flow }) => filteredWithCreated(filteredTask, flow),
  'filter-200-image': (_, { flow }) => filteredWithCreated(filteredImage, flow),
  // The cause may be the header, or anything else.
  'agent-opaque': () =>
    refusal('There was an issue with your request. Please check your inputs and try again.', null, null),
  'moderation-blocked': (_, { requestId }) => moderationBlocked(requestId),
};

// A response says it in its own shape: see response-outcome.ts.
function filteredWithCreated(error: typeof filteredTask, flow: Flow): PlainResponse | undefined {
  if (flow === 'foundry-agent') return undefined;
  return { status: 200, body: { created: now(), error } };
}

/** The response of a scenario that makes no images; undefined for the others. */
export function scriptedResponse(scenario: Scenario, context: ScriptContext): PlainResponse | undefined {
  const response = scripts[scenario.name]?.(scenario.value, context);
  return context.flow === 'mai' && response !== undefined ? asMaiResponse(response) : response;
}
