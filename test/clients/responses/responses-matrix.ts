import { type Cells, matrixOf, rowsWith } from '../cells.ts';
import { pythonVersioned, versioned } from '../package-names.ts';
import type { Suite } from '../suite.ts';

/** What a client may do with the Responses API: the columns of the table, with their headings. */
const features = {
  create: 'response',
  options: 'tool options',
  stream: 'stream',
  helper: 'stream helper',
  resume: 'resumed stream',
  turns: 'several turns',
  inputImage: 'input image',
  retrieve: 'retrieve',
  background: 'background',
  cancel: 'cancel',
  remove: 'delete',
  notStored: '`store: false`',
  errors: 'errors',
  billedOnce: 'billed once',
  images: 'Images API beside it',
  forwarded: 'chat model forwarded',
  addresses: 'addresses',
} as const;

export type ResponsesFeature = keyof typeof features;

export type ResponsesSuite = Suite<ResponsesFeature>;

export type ResponsesClientId = keyof typeof rows;

const row = rowsWith(features);

type Exceptions = Partial<Cells<ResponsesFeature>>;

const library: Exceptions = {
  images: 'n/a: see the table above',
  forwarded: 'n/a: sends what it is told',
};

/** Clients of Foundry projects: their OpenAI client is that of the package above. */
const project: Exceptions = {
  options: 'n/a: an agent’s tools are part of its definition',
  helper: 'n/a: its OpenAI client is that of the rows above',
  resume: 'n/a: its OpenAI client is that of the rows above',
  inputImage: 'n/a: its OpenAI client is that of the rows above',
  cancel: 'n/a: its OpenAI client is that of the rows above',
  remove: 'n/a: its OpenAI client is that of the rows above',
  notStored: 'n/a: its OpenAI client is that of the rows above',
  billedOnce: 'n/a: its OpenAI client is that of the rows above',
  forwarded: 'n/a: calls agents',
  addresses: 'n/a: knows one address',
};

/** The AI SDK calls models, and leaves everything else of the API to its caller. */
const aiSdk: Exceptions = {
  helper: 'n/a: the AI SDK has its own streams',
  resume: 'n/a: the AI SDK reads each stream once',
  retrieve: 'n/a: the AI SDK reads each response once',
  background: 'n/a: the AI SDK reads each response once',
  cancel: 'n/a: the AI SDK reads each response once',
  remove: 'n/a: the AI SDK reads each response once',
  notStored: 'n/a: the AI SDK reads each response once',
  billedOnce: 'n/a: see the table above',
  images: 'n/a: see the table above',
  forwarded: 'n/a: sends what it is told',
  addresses: 'n/a: see the table above',
};

const asksChatModel = 'n/a: its requests are for a chat model';

/** Agents, whose chat model is at Azure. */
const agent: Exceptions = {
  create: asksChatModel,
  options: asksChatModel,
  stream: asksChatModel,
  helper: asksChatModel,
  resume: asksChatModel,
  turns: asksChatModel,
  inputImage: asksChatModel,
  retrieve: asksChatModel,
  background: asksChatModel,
  cancel: asksChatModel,
  remove: asksChatModel,
  notStored: asksChatModel,
  billedOnce: 'n/a: what is forwarded is never repeated by the gateway',
  addresses: 'n/a: knows one address',
};

/** Its calls are replayed. */
const homeAssistant: Exceptions = {
  options: 'n/a: lets nobody choose',
  stream: 'n/a: has no other responses',
  helper: 'n/a: its calls are replayed, not its code',
  resume: 'n/a: reads each stream once',
  retrieve: 'n/a: reads each response once',
  background: 'n/a: reads each response once',
  cancel: 'n/a: reads each response once',
  remove: 'n/a: reads each response once',
  notStored: 'n/a: stores its images',
  billedOnce: 'n/a: its calls are replayed, not its code',
  images: 'n/a: knows the Responses API only',
  forwarded: 'n/a: every request has the image tool',
  addresses: 'n/a: knows one address',
};

const rows = {
  openai4: row(`${versioned('openai4')}, \`OpenAI\``, library),
  azureOpenai4: row(`${versioned('openai4')}, \`AzureOpenAI\``, library),
  openai5: row(`${versioned('openai5')}, \`OpenAI\``, library),
  azureOpenai5: row(`${versioned('openai5')}, \`AzureOpenAI\``, library),
  openai6: row(`${versioned('openai6')}, \`OpenAI\``, library),
  azureOpenai6: row(`${versioned('openai6')}, \`AzureOpenAI\``, library),
  openai7: row(`${versioned('openai7')}, \`OpenAI\``, library),
  azureOpenai7: row(`${versioned('openai7')}, \`AzureOpenAI\``, library),
  pythonOpenai: row(`${pythonVersioned('openai', 'openai')}, \`OpenAI\``, library),
  pythonAzureOpenai: row(`${pythonVersioned('openai', 'openai')}, \`AzureOpenAI\``, library),
  projects: row(versioned('@azure/ai-projects'), project),
  pythonProjects: row(pythonVersioned('azure-ai-projects', 'azure-ai-projects'), project),
  aiOpenai: row(`${versioned('ai')}, ${versioned('@ai-sdk/openai')}`, aiSdk),
  aiAzure: row(`${versioned('ai')}, ${versioned('@ai-sdk/azure')}`, aiSdk),
  agents: row(versioned('@openai/agents'), {
    ...agent,
    create: 'n/a: an image model never says that the run is over, so that each turn of it would pay for another image',
    images: 'n/a: knows the Responses API only',
  }),
  homeAssistant: row('Home Assistant (its calls)', homeAssistant),
  codex: row('Codex (its calls)', agent),
};

/** The clients of the Responses API. */
export const responsesMatrix = matrixOf(features, rows);
