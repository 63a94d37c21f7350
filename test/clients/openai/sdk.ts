import * as openai4 from 'openai4';
import * as openai5 from 'openai5';
import * as openai6 from 'openai6';
import * as openai7 from 'openai7';

export type OpenAIPackage = typeof openai7;
export type OpenAIClient = openai7.OpenAI;

/** The majors, all with the newest one's types: the checks use only what they have in common. */
export const packages = {
  4: openai4 as unknown as OpenAIPackage,
  5: openai5 as unknown as OpenAIPackage,
  6: openai6 as unknown as OpenAIPackage,
  7: openai7,
} as const;

/** One class of one major, as the checks see it. */
export type Sdk = {
  readonly package: OpenAIPackage;
  /** A client of the gateway at this address, with the SDK's own retries. */
  connect(url: string, apiKey?: string, options?: { readonly timeout?: number }): OpenAIClient;
  /** Whether this major has image streams. */
  readonly streams: boolean;
  /** What it gets for a model that does not exist. */
  readonly unknownModel: 'model_not_found' | 'DeploymentNotFound';
};
