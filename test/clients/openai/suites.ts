import { gatewayKey } from '../rig.ts';
import type { Suite } from '../suite.ts';
import { azureAddressChecks } from './azure-address-checks.ts';
import { editChecks } from './edit-checks.ts';
import { errorChecks } from './error-checks.ts';
import { generationChecks } from './generation-checks.ts';
import { jobChecks } from './job-checks.ts';
import { modelChecks } from './model-checks.ts';
import { modelElsewhereChecks } from './model-elsewhere-checks.ts';
import { moneyChecks } from './money-checks.ts';
import { nameChecks } from './name-checks.ts';
import { packages, type Sdk } from './sdk.ts';

type Major = keyof typeof packages;

/** The class OpenAI of a major. */
export function openaiSuite(major: Major): Suite {
  const { OpenAI } = packages[major];
  const connect: Sdk['connect'] = (url, apiKey = gatewayKey, options = {}) =>
    new OpenAI({ baseURL: `${url}/v1`, apiKey, ...options });
  const unknownModel = 'model_not_found';
  const sdk: Sdk = { package: packages[major], connect, streams: major > 4, unknownModel };
  return { ...imageChecks(sdk), addresses: { ...nameChecks(sdk), ...modelElsewhereChecks(packages[major]) } };
}

/** The class AzureOpenAI of a major. */
export function azureOpenaiSuite(major: Major): Suite {
  const { AzureOpenAI } = packages[major];
  const connect: Sdk['connect'] = (url, apiKey = gatewayKey, options = {}) =>
    new AzureOpenAI({ endpoint: url, apiKey, apiVersion: '2025-04-01-preview', ...options });
  const unknownModel = 'DeploymentNotFound';
  const sdk: Sdk = { package: packages[major], connect, streams: major > 4, unknownModel };
  return { ...imageChecks(sdk), addresses: { ...nameChecks(sdk), ...azureAddressChecks(packages[major]) } };
}

function imageChecks(sdk: Sdk): Suite {
  return {
    ...generationChecks(sdk),
    ...editChecks(sdk),
    ...errorChecks(sdk),
    ...moneyChecks(sdk),
    ...jobChecks(sdk),
    ...modelChecks(sdk),
  };
}
