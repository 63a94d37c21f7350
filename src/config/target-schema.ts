import { z } from 'zod';
import { capabilitiesSchema } from './capabilities-schema.ts';
import { printableName } from './check-schema.ts';
import { priceSchema } from './price-schema.ts';

const apiVersion = z
  .string({ error: apiVersionError })
  .regex(/^[A-Za-z0-9._-]+$/, 'must be an api-version such as 2025-04-01-preview')
  .describe('The api-version query parameter, e.g. 2025-04-01-preview');

/** Name of a deployment; a dot name would be a path step once it stands in a URL. */
export const deploymentName = printableName
  .refine((name) => name !== '.' && name !== '..', 'must not be `.` or `..`')
  .describe('Name of the deployment in the Azure resource');

const common = {
  name: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be 1 to 64 letters, digits, dots, underscores or dashes')
    .exactOptional()
    .describe('How logs and the x-gateway-target header call this target; its position when left out'),
  priority: z.int().min(0).default(0).describe('Targets with a lower number are tried first'),
  weight: z.int().min(1).max(1000).default(1).describe('Share among the targets of one priority'),
  model: printableName.describe('The model family: what the deployment is, e.g. gpt-image-2'),
  baseURL: z.string().describe('Address of the Azure resource, or of the deployment for azure-deployment'),
  apiKey: z
    .string()
    .min(1)
    .regex(/^[!-~]*$/, 'must hold visible ASCII characters only; check for blanks and line breaks')
    .exactOptional()
    .describe('The key of the Azure resource, best taken from a variable'),
  auth: z
    .strictObject({
      entra: z.strictObject({
        scope: z
          .string()
          .regex(
            /^[A-Za-z][A-Za-z0-9+.-]*:\/\/[!-~]+\/\.default$/,
            'must be a scope such as https://ai.azure.com/.default',
          )
          .describe(
            'What the token is for: https://cognitiveservices.azure.com/.default, or https://ai.azure.com/.default',
          ),
      }),
    })
    .exactOptional()
    .describe('Instead of apiKey: tokens of Microsoft Entra ID, by the identity that the process has'),
  headers: z
    .record(z.string(), z.string())
    .exactOptional()
    .describe('Further headers of all calls to the target, such as the key of a front door; best taken from variables'),
  maxConcurrent: z.int().min(1).max(10_000).exactOptional().describe('Calls that may run at once at this target'),
  downloadOrigins: z
    .array(z.string().refine(isOrigin, 'must be an origin such as https://files.example.com, without a path'))
    .default([])
    .describe('Further origins from which result images may be downloaded'),
  upstreamStream: z
    .enum(['never', 'always'])
    .default('never')
    .describe('always: a single image is streamed from Azure even for callers that want none; its preview is billed'),
  capabilities: capabilitiesSchema.exactOptional(),
  price: priceSchema.exactOptional().describe('What calls of this target cost, instead of what `prices` says'),
};

const agentKeys = {
  agent: printableName
    .exactOptional()
    .describe(
      'The agent of the Foundry project whose image tool draws; not needed where baseURL is the address of a published agent',
    ),
  agentVersion: printableName.exactOptional().describe('Its version; the newest one when left out'),
  chatDeployment: deploymentName
    .exactOptional()
    .describe('Instead of an agent: the deployment of a chat model, which is given the image tool'),
  imageDeployment: deploymentName
    .refine((name) => /^[ -~]*$/.test(name), 'must hold ASCII characters only: it stands in a header')
    .describe('The deployment of the image model, which the tool calls'),
  background: z
    .boolean()
    .exactOptional()
    .describe('true: a call only starts a job, which is polled, so that no connection has to wait for the image'),
  maxInlineImageChars: z
    .int()
    .min(1000)
    .exactOptional()
    .describe('The longest data URL, in characters, with which an image can be sent for an edit'),
};

/** What each provider's target may hold; unknown keys are refused. `baseURL` is checked by {@link addressTarget}. */
export const targetSchemas = {
  'azure-async': z.strictObject({
    provider: z.literal('azure-async'),
    ...common,
    apiVersion: apiVersion.default('2023-06-01-preview'),
  }),
  'azure-deployment': z.strictObject({
    provider: z.literal('azure-deployment'),
    ...common,
    apiVersion,
    deployment: deploymentName.exactOptional(),
  }),
  'azure-v1': z.strictObject({
    provider: z.literal('azure-v1'),
    ...common,
    apiVersion: apiVersion.exactOptional(),
    deployment: deploymentName.exactOptional(),
  }),
  'foundry-agent': z.strictObject({
    provider: z.literal('foundry-agent'),
    ...common,
    apiVersion: apiVersion.exactOptional(),
    ...agentKeys,
  }),
};

/** An upstream protocol that a target can name. */
export type ProviderName = keyof typeof targetSchemas;

/** A target that passed its schema, before its address is worked out. */
export type TargetEntry = z.output<(typeof targetSchemas)[ProviderName]>;

/** The providers in the order in which messages list them. */
export const providerNames: readonly ProviderName[] = ['azure-async', 'azure-deployment', 'azure-v1', 'foundry-agent'];

/** For a target with an unknown provider: its other mistakes are to be reported in the same run. */
export const anyProviderSchema = z.strictObject({
  provider: z.enum(providerNames),
  ...common,
  apiVersion: apiVersion.exactOptional(),
  deployment: deploymentName.exactOptional(),
  ...agentKeys,
  imageDeployment: agentKeys.imageDeployment.exactOptional(),
});

export function isProviderName(value: unknown): value is ProviderName {
  return providerNames.some((name) => name === value);
}

// Only deployment addressing makes apiVersion a required key, so only there can it be missing.
function apiVersionError(issue: { readonly input?: unknown }) {
  if (issue.input !== undefined) return undefined;
  return 'is required: deployment addressing needs an api-version, e.g. 2025-04-01-preview';
}

function isOrigin(text: string): boolean {
  return /^https?:\/\/[^/\\?#@*\s]+$/i.test(text) && URL.canParse(text);
}
