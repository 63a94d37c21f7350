import { z } from 'zod';
import { type DescribedPath, describePath, type JsonSchema, jsonSchema, operationId } from '../../openapi/describe.ts';
import { callParameters, parameterLinks } from '../../openapi/headers.ts';
import {
  acceptedResponses,
  anyError,
  fileResponses,
  imagesResponse,
  jsonResponse,
  keyedResponses,
} from '../../openapi/responses.ts';
import { imagesRoots, modelsRoots } from '../../request-path.ts';
import { jobStatuses } from './job-object.ts';

const seconds = z.int().describe('Unix seconds.');

const job = z.object({
  id: z.string(),
  object: z.literal('image.job'),
  status: z.enum(jobStatuses),
  created_at: seconds,
  completed_at: seconds.nullable(),
  expires_at: seconds.nullable(),
  model: z.string(),
  error: anyError.nullable(),
});

const task = z.object({
  id: z.string(),
  task_id: z.string(),
  object: z.literal('image.generation.task'),
  status: z.enum(['processing', 'completed', 'failed']),
  created_at: seconds,
  completed_at: seconds.optional(),
  expires_at: seconds.optional(),
  poll_url: z.string().optional(),
  http_status: z.int().optional(),
  result: imagesResponse.optional(),
  image_url: z.string().optional(),
  error: anyError.optional(),
});

export const jobSchemas: Readonly<Record<string, JsonSchema>> = {
  Job: jsonSchema(job),
  JobList: jsonSchema(
    z.object({
      object: z.literal('list'),
      data: z.array(job),
      first_id: z.string().nullable(),
      last_id: z.string().nullable(),
      has_more: z.boolean(),
    }),
  ),
  JobDeleted: jsonSchema(z.object({ id: z.string(), object: z.literal('image.job'), deleted: z.literal(true) })),
  Task: jsonSchema(task),
};

const polled = ['cache-control', 'retry-after'] as const;

export const jobResponses: Readonly<Record<string, JsonSchema>> = {
  JobAccepted: jsonResponse('The job, which runs without its client.', 'Job', [
    ...polled,
    'location',
    'preference-applied',
  ]),
  Job: jsonResponse('The job.', 'Job', [...polled, 'preference-applied']),
  Jobs: jsonResponse('A page of jobs.', 'JobList', polled),
  JobDeleted: jsonResponse('The job is no more.', 'JobDeleted'),
  Task: jsonResponse('The task, with its result once it is completed.', 'Task', polled),
  TaskAccepted: jsonResponse('The task.', 'Task', [...polled, 'location']),
};

const query = (name: string, description: string, schema: JsonSchema = { type: 'string' }) => ({
  name,
  in: 'query',
  description,
  schema,
});

const listParameters = [
  query('limit', 'At most so many: 1 to 100, by default 20.', { type: 'integer', minimum: 1, maximum: 100 }),
  query('after', 'The id of the last job of the page before.'),
  query('order', 'By the time of creation; the newest first by default.', { enum: ['desc', 'asc'] }),
  query('status', 'Only jobs with this status.', { enum: [...jobStatuses] }),
  query('model', 'Only jobs of this model.'),
];

const common = { tags: ['jobs'] };

/** What the document says about the routes of jobs. */
export const jobsPaths: readonly DescribedPath[] = [
  ...imagesRoots.flatMap((root) => ['generations', 'edits'].map((operation) => startPath(root, operation))),
  ...modelsRoots.flatMap(pathsAt),
];

function startPath(root: string, operation: string): DescribedPath {
  return describePath(`${root}/images/${operation}/async`, {
    post: {
      ...operationId(root, operation === 'edits' ? 'startImageEditTask' : 'startImageTask'),
      ...common,
      summary: 'Starts a job, in the form of other gateways',
      parameters: callParameters,
      requestBody: { $ref: `#/components/requestBodies/${operation === 'edits' ? 'Edit' : 'Generation'}` },
      responses: acceptedResponses('TaskAccepted'),
    },
  });
}

function jobRouteResponses(name: string, further: readonly number[] = []): JsonSchema {
  return keyedResponses(name, [404, ...further]);
}

/** A job that failed has its own error here. */
function contentResponses(): JsonSchema {
  const { 202: _accepted, ...errors } = acceptedResponses('Task') as Record<string, JsonSchema>;
  return { ...fileResponses(), ...errors, 200: { $ref: '#/components/responses/JobContent' } };
}

function pathsAt(root: string): readonly DescribedPath[] {
  return [
    describePath(`${root}/images/tasks/:id`, {
      get: {
        ...operationId(root, 'retrieveTask'),
        ...common,
        summary: 'Retrieves a job and its result, in that form',
        responses: jobRouteResponses('Task', [410]),
      },
    }),
    describePath(`${root}/images/jobs`, {
      get: {
        ...operationId(root, 'listJobs'),
        ...common,
        summary: 'Lists jobs',
        parameters: listParameters,
        responses: jobRouteResponses('Jobs'),
      },
    }),
    describePath(`${root}/images/jobs/:id`, {
      get: {
        ...operationId(root, 'retrieveJob'),
        ...common,
        summary: 'Retrieves a job',
        parameters: parameterLinks('Prefer'),
        responses: jobRouteResponses('Job'),
      },
      delete: {
        ...operationId(root, 'deleteJob'),
        ...common,
        summary: 'Deletes a job that has ended, and its images',
        responses: jobRouteResponses('JobDeleted', [409]),
      },
    }),
    describePath(`${root}/images/jobs/:id/cancel`, {
      post: {
        ...operationId(root, 'cancelJob'),
        ...common,
        summary: 'Cancels a job, as long as that is possible',
        responses: jobRouteResponses('Job'),
      },
    }),
    describePath(`${root}/images/jobs/:id/content`, {
      get: {
        ...operationId(root, 'retrieveJobContent'),
        ...common,
        summary: 'Retrieves the response of a job, or one of its images with `Accept: image/*`',
        parameters: [query('index', 'Which image, from 0.', { type: 'integer', minimum: 0 })],
        responses: contentResponses(),
      },
    }),
  ];
}
