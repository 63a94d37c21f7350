import { azureOpenaiBetaSuite } from './azure-openai/beta-suite.ts';
import { langchainSuite } from './langchain/suite.ts';
import type { ClientId } from './matrix.ts';
import { azureOpenaiSuite, openaiSuite } from './openai/suites.ts';
import { openai028Suite } from './python/openai-028-suite.ts';
import { pipecatSuite } from './python/pipecat-suite.ts';
import { pythonSuite } from './python/suite.ts';
import { bedrockConnectorSuite } from './replayed/bedrock-connector.ts';
import { cortexSuite } from './replayed/cortex.ts';
import { librechatSuite } from './replayed/librechat.ts';
import { openWebuiSuite } from './replayed/open-webui.ts';
import { proActionsSuite } from './replayed/pro-actions.ts';
import { sub2apiSuite } from './replayed/sub2api.ts';
import type { Suite } from './suite.ts';
import { aiAzureSuite, aiCompatibleSuite, aiOpenaiSuite } from './vercel-ai/suites.ts';

/** What is checked of each client of the matrix. */
export const suites: Readonly<Record<ClientId, Suite>> = {
  openai4: openaiSuite(4),
  azureOpenai4: azureOpenaiSuite(4),
  openai5: openaiSuite(5),
  azureOpenai5: azureOpenaiSuite(5),
  openai6: openaiSuite(6),
  azureOpenai6: azureOpenaiSuite(6),
  openai7: openaiSuite(7),
  azureOpenai7: azureOpenaiSuite(7),
  pythonOpenai: pythonSuite('OpenAI'),
  pythonAzureOpenai: pythonSuite('AzureOpenAI'),
  aiOpenai: aiOpenaiSuite,
  aiAzure: aiAzureSuite,
  aiCompatible: aiCompatibleSuite,
  langchain: langchainSuite,
  openWebui: openWebuiSuite,
  librechat: librechatSuite,
  bedrockConnector: bedrockConnectorSuite,
  proActions: proActionsSuite,
  sub2api: sub2apiSuite,
  openai028: openai028Suite,
  azureOpenaiBeta: azureOpenaiBetaSuite,
  pipecat: pipecatSuite,
  cortex: cortexSuite,
};
