import manifest from '../../../package.json' with { type: 'json' };
import { answerSchemas } from './answer-schemas.ts';
import { answerHeaders, requestParameters } from './headers.ts';
import type { JsonSchema } from './json-schema.ts';
import { paths } from './paths.ts';
import { editForm, editRequest, generationRequest } from './request-schemas.ts';
import { responses } from './responses.ts';

const description = `${manifest.description}.

The same operations are served on OpenAI’s paths, on those of Azure’s SDKs, and below \`/m/{model}\` for clients that cannot
name a model. Base URLs that are nearly right (\`/images/…\` without \`/v1\`, \`/v1/v1/…\`, \`/api/v1/…\`,
\`/openai/deployments/{deployment}/v1/…\`) are served like the paths that they stand for. Failures have OpenAI’s error
shape, with a closed set of codes. Any other path is answered 404 (\`unknown_url\`), with the nearest one that is served, and
a method that is not listed 405 (\`method_not_allowed\`). A gateway without keys asks for none, and answers 403
(\`forbidden_origin\`) to hosts other than loopback and to web pages of other origins.`;

const schemaLink = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

/**
 * What the gateway serves, as an OpenAPI 3.1 document. It tells nothing of the configuration: neither models nor targets.
 * Its requests are the schemas that validate, its error codes the catalogue.
 */
export const openApiDocument: JsonSchema = {
  openapi: '3.1.1',
  info: { title: manifest.name, version: manifest.version, license: { name: 'MIT', identifier: 'MIT' }, description },
  servers: [{ url: '/' }],
  tags: [{ name: 'images' }, { name: 'models' }, { name: 'operation' }],
  security: [{ bearer: [] }, { apiKey: [] }, { xApiKey: [] }],
  paths,
  components: {
    schemas: { GenerationRequest: generationRequest, EditRequest: editRequest, EditForm: editForm, ...answerSchemas },
    requestBodies: {
      Generation: { required: true, content: { 'application/json': schemaLink('GenerationRequest') } },
      Edit: {
        required: true,
        content: { 'multipart/form-data': schemaLink('EditForm'), 'application/json': schemaLink('EditRequest') },
      },
    },
    responses,
    parameters: requestParameters,
    headers: answerHeaders,
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer' },
      apiKey: { type: 'apiKey', in: 'header', name: 'api-key' },
      xApiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
    },
  },
};
