import { ConfigError, type Problem } from '../../src/config/problems.ts';
import { parseModels } from '../helpers/parse-models.ts';

/** A valid azure-deployment target, to be changed by a test. */
export const deploymentTarget = {
  provider: 'azure-deployment',
  model: 'gpt-image-2',
  baseURL: 'https://east.example.com/openai/deployments/images',
  apiVersion: '2025-04-01-preview',
  apiKey: 'literal-key',
};

/** A valid azure-v1 target, to be changed by a test. */
export const v1Target = {
  provider: 'azure-v1',
  model: 'gpt-image-2',
  baseURL: 'https://east.example.com',
  apiKey: 'literal-key',
};

/** A valid azure-async target, to be changed by a test. */
export const asyncTarget = {
  provider: 'azure-async',
  model: 'dall-e-2',
  baseURL: 'https://east.example.com',
  apiKey: 'literal-key',
};

/** A valid foundry-agent target, to be changed by a test. */
export const agentTarget = {
  provider: 'foundry-agent',
  model: 'gpt-image-2',
  baseURL: 'https://east.example.com/api/projects/posters',
  agent: 'painter',
  imageDeployment: 'images',
  apiKey: 'literal-key',
};

/** What stands in the place of a key where the process has an identity. */
export const entra = { entra: { scope: 'https://ai.azure.com/.default' } };

/** Parses a file given as an object. */
export function parse(file: unknown, variables: Record<string, string | undefined> = {}) {
  return parseModels(JSON.stringify(file, null, 2), variables);
}

/** The problems of a file given as an object; none when it is accepted. */
export function problemsOf(file: unknown, variables: Record<string, string | undefined> = {}): readonly Problem[] {
  return problemsIn(() => parse(file, variables));
}

/** The problems as `path: message`, without lines. */
export function messagesOf(file: unknown, variables: Record<string, string | undefined> = {}): string[] {
  return problemsOf(file, variables).map(({ path, message }) => `${path}: ${message}`);
}

/** The problems a call throws as ConfigError; other errors pass through. */
export function problemsIn(call: () => unknown): readonly Problem[] {
  try {
    call();
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
}
