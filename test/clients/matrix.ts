import { type Cells as CellsOf, matrixOf, rowsWith } from './cells.ts';
import { pythonVersioned, versioned } from './package-names.ts';

/** What a client may do with the Images API: the columns of the table, with their headings. */
const features = {
  base64: '`b64_json`',
  url: '`url`',
  several: '`n` = 3',
  options: 'options',
  stream: 'stream',
  edit: 'edit',
  editSeveral: 'several images',
  mask: 'mask',
  editStream: 'streamed edit',
  editFile: 'file stream',
  errors: 'errors',
  abort: 'abort',
  billedOnce: 'billed once',
  job: 'job',
  models: 'models',
  addresses: 'names, addresses',
} as const;

export type Feature = keyof typeof features;

type Cells = CellsOf<Feature>;

export type ClientId = keyof typeof rows;

const row = rowsWith(features);

/** What only waits for its images in the response to the call that makes them. */
const waits = 'n/a: waits for its images';

/** What has a form of jobs of its own. */
const submitsAndPolls = 'n/a: submits and polls in the old form of Azure';

const beforeStreams: Partial<Cells> = {
  stream: 'n/a: this version has no image streams',
  editStream: 'n/a: this version has no image streams',
};

const aiSdk: Partial<Cells> = {
  stream: 'n/a: the AI SDK has no image streams',
  editStream: 'n/a: the AI SDK has no image streams',
  editFile: 'n/a: the AI SDK takes bytes, not streams',
  models: 'n/a: the AI SDK does not request models',
  job: waits,
};

const readsBase64Only: Partial<Cells> = { url: 'n/a: reads `b64_json` only' };

const generatesOnly: Partial<Cells> = {
  edit: 'n/a: generates only',
  editSeveral: 'n/a: generates only',
  mask: 'n/a: generates only',
  editStream: 'n/a: generates only',
  editFile: 'n/a: generates only',
};

/** Applications whose calls are replayed: what they do when a call fails or takes long is up to them. */
const replayed: Partial<Cells> = {
  stream: 'n/a: requests no streams',
  editStream: 'n/a: requests no streams',
  abort: 'n/a: its calls are replayed, not its code',
  billedOnce: 'n/a: its calls are replayed, not its code',
  job: waits,
  models: 'n/a: requests no models',
};

/** Clients of the operations that Azure had before its deployments made images at once: submit, and poll. */
const submits: Partial<Cells> = {
  ...generatesOnly,
  stream: 'n/a: requests no streams',
  job: submitsAndPolls,
  models: 'n/a: requests no models',
};

const readsLinksOnly: Partial<Cells> = { base64: 'n/a: reads links only' };

const rows = {
  openai4: row(`${versioned('openai4')}, \`OpenAI\``, beforeStreams),
  azureOpenai4: row(`${versioned('openai4')}, \`AzureOpenAI\``, beforeStreams),
  openai5: row(`${versioned('openai5')}, \`OpenAI\``),
  azureOpenai5: row(`${versioned('openai5')}, \`AzureOpenAI\``),
  openai6: row(`${versioned('openai6')}, \`OpenAI\``),
  azureOpenai6: row(`${versioned('openai6')}, \`AzureOpenAI\``),
  openai7: row(`${versioned('openai7')}, \`OpenAI\``),
  azureOpenai7: row(`${versioned('openai7')}, \`AzureOpenAI\``),
  pythonOpenai: row(`${pythonVersioned('openai', 'openai')}, \`OpenAI\``, {
    abort: 'n/a: calls of the synchronous class cannot be aborted',
  }),
  pythonAzureOpenai: row(`${pythonVersioned('openai', 'openai')}, \`AzureOpenAI\``, {
    abort: 'n/a: calls of the synchronous class cannot be aborted',
  }),
  aiOpenai: row(`${versioned('ai')}, ${versioned('@ai-sdk/openai')}`, { ...aiSdk, ...readsBase64Only }),
  aiAzure: row(`${versioned('ai')}, ${versioned('@ai-sdk/azure')}`, { ...aiSdk, ...readsBase64Only }),
  aiCompatible: row(`${versioned('ai')}, ${versioned('@ai-sdk/openai-compatible')}`, aiSdk),
  langchain: row(`${versioned('@langchain/openai')}, \`DallEAPIWrapper\``, {
    ...generatesOnly,
    stream: 'n/a: requests no streams',
    abort: 'n/a: passes no signal on',
    job: waits,
    models: 'n/a: requests no models',
  }),
  openWebui: row('Open WebUI (its calls)', {
    ...replayed,
    mask: 'n/a: sends no masks',
    editFile: 'n/a: sends whole files',
  }),
  librechat: row('LibreChat (its calls)', {
    ...replayed,
    ...readsBase64Only,
    several: 'n/a: reads the first image only',
    mask: 'n/a: sends no masks',
  }),
  bedrockConnector: row('Bedrock sample connector (its calls)', {
    ...generatesOnly,
    stream: 'n/a: requests no streams',
    abort: 'n/a: passes no signal on',
    job: waits,
    models: 'n/a: requests no models',
  }),
  proActions: row('ProActions (its calls)', { ...replayed, ...generatesOnly }),
  sub2api: row('Clients of sub2api’s tasks (their calls)', {
    ...replayed,
    ...readsLinksOnly,
    editSeveral: 'n/a: sends one image',
    mask: 'n/a: sends no masks',
    editFile: 'n/a: sends whole files',
    job: 'yes',
    addresses: 'n/a: knows one address',
  }),
  openai028: row(`${pythonVersioned('openai', 'openai-0.28')}, \`api_type\` azure`, {
    ...submits,
    abort: 'n/a: its calls cannot be aborted',
  }),
  azureOpenaiBeta: row(versioned('@azure/openai'), {
    ...submits,
    billedOnce: 'yes',
    abort: 'n/a: passes no signal on',
  }),
  pipecat: row(`${pythonVersioned('pipecat-ai', 'pipecat')}, \`AzureImageGenServiceREST\``, {
    ...submits,
    ...readsLinksOnly,
    several: 'n/a: wants one image',
    errors:
      'yes: raises `KeyError` when the submit is refused, and says "timed out" after 119 polls when it fails later',
    abort: 'n/a: its calls cannot be aborted',
    billedOnce: 'n/a: never repeats a call',
  }),
  cortex: row('cortex (its calls)', {
    ...submits,
    ...replayed,
    ...readsLinksOnly,
    several: 'n/a: chooses nothing but the prompt',
    options: 'n/a: chooses nothing but the prompt',
    job: submitsAndPolls,
  }),
} satisfies Record<string, { name: string; cells: Cells }>;

/** The clients of the Images API. */
export const imagesMatrix = matrixOf(features, rows);
