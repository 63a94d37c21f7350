import { maxInputs } from '../../domain/image-input.ts';
import { furtherToolOptions } from '../../domain/image-tool.ts';
import { imageParameters } from '../surfaces/openai-images/parse-parameters.ts';
import { idleMembers, responseMembers } from '../surfaces/responses/response-members.ts';
import { type JsonSchema, jsonSchema } from './describe.ts';

const text: JsonSchema = { type: 'string' };
const unset: JsonSchema = { type: 'null' };
const orUnset = (...schemas: readonly JsonSchema[]): JsonSchema => ({ anyOf: [...schemas, unset] });

const url: JsonSchema = {
  type: 'string',
  description: 'A data URL in base64, or an https URL where `imageUrls` of the models file is `download`.',
};
const imageUrl: JsonSchema = { anyOf: [url, { type: 'object', properties: { url }, required: ['url'] }] };

const part: JsonSchema = {
  oneOf: [
    { type: 'object', properties: { type: { const: 'input_text' }, text }, required: ['type', 'text'] },
    {
      type: 'object',
      properties: { type: { const: 'input_image' }, image_url: imageUrl },
      required: ['type', 'image_url'],
    },
    {
      type: 'object',
      properties: { type: { enum: ['output_text', 'refusal'], description: 'Of a chat model: without effect.' } },
      required: ['type'],
    },
  ],
};

const message: JsonSchema = {
  type: 'object',
  properties: {
    type: orUnset({ const: 'message' }),
    role: { enum: ['user', 'system', 'developer', 'assistant'] },
    content: { anyOf: [text, { type: 'array', items: part }] },
  },
  required: ['role', 'content'],
};

const item: JsonSchema = {
  anyOf: [
    message,
    {
      type: 'object',
      description:
        'An image, by the id of its call or by its bytes. Items of other tools and of chat models have no effect.',
      properties: {
        type: orUnset(text),
        id: orUnset(text),
        result: orUnset({ type: 'string', contentEncoding: 'base64' }),
      },
    },
  ],
};

const options = jsonSchema(imageParameters, 'input') as { readonly properties: Readonly<Record<string, JsonSchema>> };
const ofTool = ['size', 'quality', 'background', 'output_format', 'output_compression', 'moderation', 'partial_images'];

const tool: JsonSchema = {
  type: 'object',
  properties: {
    type: { const: 'image_generation' },
    model: orUnset({ ...text, description: 'A model or alias, where `model` is that of a chat model.' }),
    action: orUnset({ enum: ['auto', 'generate', 'edit'], description: 'Whether the images of the input are edited.' }),
    n: orUnset({ const: 1 }),
    input_image_mask: orUnset({ type: 'object', properties: { image_url: imageUrl }, required: ['image_url'] }),
    ...Object.fromEntries([...ofTool, 'input_fidelity'].map((name) => [name, orUnset(options.properties[name] ?? {})])),
    ...Object.fromEntries(furtherToolOptions.map((name) => [name, {}])),
  },
  required: ['type'],
  additionalProperties: false,
};

const members = jsonSchema(responseMembers, 'input') as { readonly properties: Readonly<Record<string, JsonSchema>> };

const descriptions: Readonly<Record<string, string>> = {
  model: 'A model or alias. Default: the one of the tool, of the path or of `x-target`, or the default model.',
  instructions: 'Stands before the prompt.',
  agent_reference: 'Its name is that of a model or alias, and precedes all others.',
  agent: 'The same, as early clients call it.',
  previous_response_id: 'Its image is the first one of the input.',
  stream: 'Respond with server-sent events.',
  background: 'Respond at once; the response is retrieved by its id. Needs a data directory.',
  store: 'Whether the response can be retrieved.',
  metadata: 'Up to 16 texts, which the response repeats.',
  user: 'The end user, passed on to Azure.',
  safety_identifier: 'The end user as well, passed on to Azure as `user`.',
  tool_choice: 'Any: there is one tool.',
};

/** The body of `POST …/responses`. */
export const responseRequest: JsonSchema = {
  type: 'object',
  properties: {
    input: orUnset(text, { type: 'array', items: item, description: `With ${maxInputs} images at most.` }),
    tools: orUnset({ type: 'array', items: tool, maxItems: 1 }),
    ...Object.fromEntries(
      Object.entries(members.properties).map(([name, schema]) => [
        name,
        (idleMembers as readonly string[]).includes(name)
          ? { description: 'Without effect: `x-gateway-adapted` reports it.' }
          : { ...orUnset(schema), description: descriptions[name] },
      ]),
    ),
  },
  additionalProperties: false,
};
