import { pythonProjects, pythonResponses } from '../python/responses-suites.ts';
import { codexSuite } from '../replayed/codex.ts';
import { homeAssistantSuite } from '../replayed/home-assistant.ts';
import { aiAzureResponses, aiOpenaiResponses } from '../vercel-ai/responses-suite.ts';
import { agentsSuite } from './agents-suite.ts';
import { azureOpenaiResponses, openaiResponses } from './openai-suites.ts';
import { projectsSuite } from './projects-suite.ts';
import type { ResponsesClientId, ResponsesSuite } from './responses-matrix.ts';

/** What is checked of each client of the Responses API. */
export const responsesSuites: Readonly<Record<ResponsesClientId, ResponsesSuite>> = {
  openai4: openaiResponses(4),
  azureOpenai4: azureOpenaiResponses(4),
  openai5: openaiResponses(5),
  azureOpenai5: azureOpenaiResponses(5),
  openai6: openaiResponses(6),
  azureOpenai6: azureOpenaiResponses(6),
  openai7: openaiResponses(7),
  azureOpenai7: azureOpenaiResponses(7),
  pythonOpenai: pythonResponses('OpenAI'),
  pythonAzureOpenai: pythonResponses('AzureOpenAI'),
  projects: projectsSuite,
  pythonProjects,
  aiOpenai: aiOpenaiResponses,
  aiAzure: aiAzureResponses,
  agents: agentsSuite,
  homeAssistant: homeAssistantSuite,
  codex: codexSuite,
};
