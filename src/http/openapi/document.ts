import type { FastifyInstance } from 'fastify';
import manifest from '../../../package.json' with { type: 'json' };
import { healthPaths } from '../lifecycle.ts';
import { metricsPaths } from '../metrics-endpoints.ts';
import {
  operationResponses,
  operationSchemas,
  operationsPaths,
} from '../surfaces/azure-operations/operations-document.ts';
import { filesPaths } from '../surfaces/files/files-route.ts';
import { jobResponses, jobSchemas, jobsPaths } from '../surfaces/jobs/jobs-document.ts';
import { modelsPaths } from '../surfaces/models/models-routes.ts';
import { imagesPaths } from '../surfaces/openai-images/images-routes.ts';
import { responsesPaths } from '../surfaces/responses/responses-routes.ts';
import { spendPaths, spendResponses, spendSchemas } from '../surfaces/spend/spend-document.ts';
import { targetsPaths, targetsResponses, targetsSchemas } from '../surfaces/targets/targets-route.ts';
import { refuseOtherMethods } from '../unserved-routes.ts';
import { describePath, type JsonSchema, withoutKey } from './describe.ts';
import { requestParameters, responseHeaders } from './headers.ts';
import { editForm, editRequest, generationRequest } from './request-schemas.ts';
import { openResponses, responseSchemas, responses } from './responses.ts';
import { responseRequest } from './responses-request.ts';

const documentUrl = '/openapi.json';

/** `GET /openapi.json`. It is the same for everybody and reveals nothing secret, so it needs no key. */
export function openApiRoute(app: FastifyInstance): void {
  const text = JSON.stringify(openApiDocument);
  app.get(documentUrl, async (_request, reply) => reply.type('application/json').send(text));
  refuseOtherMethods(app, documentUrl, ['GET', 'HEAD']);
}

const openApiPath = describePath(documentUrl, {
  get: {
    ...withoutKey,
    operationId: 'getOpenApi',
    tags: ['operation'],
    summary: 'Retrieves this document',
    responses: openResponses('OpenApi', [403]),
  },
});

const description = `${manifest.description}.

The same operations are served on OpenAI’s paths, on those of Azure’s SDKs, and below \`/m/{model}\` for clients that cannot
name a model. Base URLs that are nearly right (\`/images/…\` without \`/v1\`, \`/v1/v1/…\`, \`/api/v1/…\`,
\`/openai/deployments/{deployment}/v1/…\`, \`/api/projects/{project}/openai/…\`) work as well. Errors have OpenAI’s shape and a closed set of codes. Any other path
is a 404 (\`unknown_url\`) that names the nearest path, any other method a 405 (\`method_not_allowed\`). A gateway without keys
responds with 403 (\`forbidden_origin\`) to hosts other than loopback and to web pages of other origins.

A gateway that forwards the Responses API responds with what Azure has said to requests for models and responses that are not its own,
and serves all of that API’s paths below \`/responses\`. This is not described here.`;

const schemaLink = (name: string) => ({ schema: { $ref: `#/components/schemas/${name}` } });

/**
 * What the gateway serves, as an OpenAPI 3.1 document. It reveals nothing of the configuration: neither models nor targets.
 * Its requests are the schemas that validate, its error codes the catalogue.
 */
export const openApiDocument: JsonSchema = {
  openapi: '3.1.1',
  info: { title: manifest.name, version: manifest.version, license: { name: 'MIT', identifier: 'MIT' }, description },
  servers: [{ url: '/' }],
  tags: ['images', 'responses', 'jobs', 'operations', 'models', 'operation'].map((name) => ({ name })),
  security: [{ bearer: [] }, { apiKey: [] }, { xApiKey: [] }],
  paths: Object.fromEntries([
    ...imagesPaths,
    ...responsesPaths,
    ...jobsPaths,
    ...operationsPaths,
    ...modelsPaths,
    ...filesPaths,
    ...healthPaths,
    ...spendPaths,
    ...targetsPaths,
    ...metricsPaths,
    openApiPath,
  ]),
  components: {
    schemas: {
      GenerationRequest: generationRequest,
      EditRequest: editRequest,
      EditForm: editForm,
      ResponseRequest: responseRequest,
      ...responseSchemas,
      ...jobSchemas,
      ...operationSchemas,
      ...spendSchemas,
      ...targetsSchemas,
    },
    requestBodies: {
      Generation: { required: true, content: { 'application/json': schemaLink('GenerationRequest') } },
      Response: { required: true, content: { 'application/json': schemaLink('ResponseRequest') } },
      Edit: {
        required: true,
        content: { 'multipart/form-data': schemaLink('EditForm'), 'application/json': schemaLink('EditRequest') },
      },
    },
    responses: { ...responses, ...jobResponses, ...operationResponses, ...spendResponses, ...targetsResponses },
    parameters: requestParameters,
    headers: responseHeaders,
    securitySchemes: {
      bearer: { type: 'http', scheme: 'bearer' },
      apiKey: { type: 'apiKey', in: 'header', name: 'api-key' },
      xApiKey: { type: 'apiKey', in: 'header', name: 'x-api-key' },
    },
  },
};
