import { maxInputs } from '../../domain/image-input.ts';
import { imageParameters, parameterName } from '../surfaces/openai-images/parse-parameters.ts';
import { type JsonSchema, jsonSchema } from './describe.ts';

type Parameter = keyof typeof imageParameters.shape;

const descriptions: Readonly<Record<Parameter, string>> = {
  model: 'A model or alias. Default: the one in the path, in `x-target`, or the default model.',
  prompt: 'What to draw, or what to change.',
  n: 'How many images.',
  size: '`auto` or `WxH` in pixels; which ones depends on the model.',
  quality: 'Depends on the model.',
  background: '`auto`, `opaque` or `transparent`, where the model has it. In JSON, `true` starts a job.',
  output_format: '`png`, `jpeg` or `webp`, where the model has it.',
  output_compression: 'In percent, for `jpeg` and `webp`.',
  moderation: '`auto` or `low`, where the model has it.',
  style: '`vivid` or `natural`, where the model has it.',
  input_fidelity: 'How closely an edit keeps to its images: `low` or `high`, where the model has it.',
  user: 'The end user, passed on to Azure.',
  response_format: 'Default: as the model gives them.',
  stream: 'Respond with server-sent events.',
  partial_images: 'How many partial images a stream may have.',
};

const parameters = jsonSchema(imageParameters, 'input') as {
  readonly properties: Readonly<Record<Parameter, JsonSchema>>;
  readonly required: readonly string[];
};

/** The parameters as they are in a form, where a field is there or is not. */
const inForms: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Object.entries(parameters.properties).map(([name, schema]) => [
    name,
    { ...schema, description: descriptions[name as Parameter] },
  ]),
);

/** What a parameter may be in JSON besides. */
const others: Readonly<Record<string, readonly JsonSchema[]>> = { background: [{ type: 'boolean' }] };

/** In JSON, null means "not set" for everything that may be left out. */
const inJson: Readonly<Record<string, JsonSchema>> = Object.fromEntries(
  Object.entries(inForms).map(([name, { description, default: preset, ...schema }]) => [
    name,
    {
      ...(parameters.required.includes(name) ? schema : { anyOf: [schema, ...(others[name] ?? []), { type: 'null' }] }),
      ...(preset !== undefined && { default: preset }),
      description,
    },
  ]),
);

const names = { propertyNames: { pattern: parameterName.source } };

/** The body of `…/images/generations`. What the gateway does not know is sent on, or refused by the model's family. */
export const generationRequest: JsonSchema = {
  type: 'object',
  properties: inJson,
  required: parameters.required,
  additionalProperties: true,
  ...names,
};

const url: JsonSchema = {
  type: 'string',
  description: 'A data URL in base64, or an https URL where `imageUrls` of the models file is `download`.',
};

const idle: Readonly<Record<string, JsonSchema>> = {
  type: { enum: ['image_url', 'input_image'], description: 'Says what it is anyway, as some clients do.' },
  detail: { enum: ['auto'], description: 'The same.' },
};

const urlObject: JsonSchema = {
  type: 'object',
  properties: { url, ...idle },
  required: ['url'],
  additionalProperties: false,
};

const reference: JsonSchema = {
  anyOf: [
    url,
    {
      type: 'object',
      properties: { image_url: { anyOf: [url, urlObject] }, ...idle },
      required: ['image_url'],
      additionalProperties: false,
    },
    urlObject,
  ],
};

const overlay: JsonSchema = { anyOf: [reference, { type: 'null' }] };

const images: JsonSchema = {
  anyOf: [reference, { type: 'array', items: reference, maxItems: maxInputs }, { type: 'null' }],
};

/** The JSON body of `…/images/edits`. */
export const editRequest: JsonSchema = {
  type: 'object',
  properties: {
    ...inJson,
    images: { ...images, description: 'The images, or one.' },
    image: { ...images, description: 'The same, as some clients call it; not beside `images`.' },
    mask: { ...overlay, description: 'Its transparent pixels say where the first image may change.' },
    markup: { ...overlay, description: 'A drawing over the first image, for models that know it.' },
  },
  required: parameters.required,
  anyOf: [{ required: ['images'] }, { required: ['image'] }],
  additionalProperties: { type: ['string', 'number', 'boolean', 'null'] },
  ...names,
};

const file: JsonSchema = { type: 'string', contentMediaType: 'application/octet-stream' };
const files: JsonSchema = { anyOf: [file, { type: 'array', items: file, minItems: 1, maxItems: maxInputs }] };

/** The form of `…/images/edits`. */
export const editForm: JsonSchema = {
  type: 'object',
  properties: {
    ...inForms,
    image: { ...files, description: 'The image, or several under the same name.' },
    'image[]': { ...files, description: 'The same, as some clients call it.' },
    mask: { ...file, description: 'Its transparent pixels say where the first image may change.' },
    markup: { ...file, description: 'A drawing over the first image, for models that know it.' },
  },
  patternProperties: { '^image\\[\\d{1,3}\\]$': { ...file, description: 'The image of this place.' } },
  required: parameters.required,
  anyOf: [{ required: ['image'] }, { required: ['image[]'] }, { required: ['image[0]'] }],
  additionalProperties: { type: 'string' },
};
