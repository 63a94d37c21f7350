import type { ImageEnd, ImageEvent, ImageFacts } from '../../../domain/image-event.ts';
import type { JobId } from '../../../domain/job-store.ts';
import { type SeenHeader, shownFacts } from '../shown-facts.ts';
import type { ResponseEcho } from './response-echo.ts';
import { responseUsage } from './response-usage.ts';

/** What is known of a response from its beginning. Plain data, so that the same text is written each time. */
export type ResponseFacts = {
  readonly job: JobId;
  /** The logical model. */
  readonly model: string;
  /** Unix seconds. */
  readonly createdAt: number;
  /** What the tool was called for. */
  readonly action: 'generate' | 'edit';
  readonly echo: ResponseEcho;
};

/** OpenAI's ResponseStatus; `incomplete` is for texts. */
export type ResponseStatus = 'queued' | 'in_progress' | 'completed' | 'failed' | 'cancelled';

/** OpenAI's ResponseError. */
export type ResponseError = { readonly code: string; readonly message: string };

/** Of the members of any error response those that it has. */
export function responseError(error: Record<string, unknown> | null): ResponseError | null {
  const { code, message } = (error ?? {}) as ResponseError;
  return error && { code, message };
}

/** The id of the response that a job makes. */
export function responseId(job: JobId): string {
  return `resp_${job}`;
}

/** The id of its one output item. */
export function callId(job: JobId): string {
  return `ig_${job}`;
}

/** OpenAI's Response before it has an image, or without one. */
export function responseObject(
  facts: ResponseFacts,
  { status, error = null }: { readonly status: ResponseStatus; readonly error?: ResponseError | null },
): Record<string, unknown> {
  return { ...headOf(facts), output: [], ...restOf(facts, { status, error, completedAt: null, usage: null }) };
}

/** The output item that has no image yet. */
export function beginningCall(job: JobId): Record<string, unknown> {
  return { id: callId(job), type, status: 'in_progress', result: null };
}

/** What is known of the image when it has passed, from its own end and from that of the response. */
export type EndedImage = {
  readonly end: ImageEnd;
  readonly summary?: Extract<ImageEvent, { type: 'done' }> | undefined;
  /** What the upstream was asked for. */
  readonly asked: ImageFacts;
  readonly header: SeenHeader;
};

/** The texts before and after the value of `result` in the JSON text of the output item. */
export function callAround(facts: ResponseFacts): { before: string; after: (image: EndedImage) => string } {
  const before = `${opened({ id: callId(facts.job), type })},"result":`;
  return { before, after: (image) => `,${JSON.stringify(callEnd(facts, image)).slice(1)}` };
}

/** The same in the JSON text of the whole response, whose image stands early because the rest is known only at the end. */
export function responseAround(facts: ResponseFacts): { before: string; after: (image: EndedImage) => string } {
  const call = callAround(facts);
  const before = `${opened(headOf(facts))},"output":[${call.before}`;
  return { before, after: (image) => `${call.after(image)}],${JSON.stringify(responseEnd(facts, image)).slice(1)}` };
}

const type = 'image_generation_call';

/** The text of an object that goes on. */
function opened(object: Record<string, unknown>): string {
  return JSON.stringify(object).slice(0, -1);
}

function headOf({ job, createdAt, model }: ResponseFacts): Record<string, unknown> {
  return { id: responseId(job), object: 'response', created_at: createdAt, model };
}

type End = {
  readonly status: ResponseStatus;
  readonly error: ResponseError | null;
  readonly completedAt: number | null;
  readonly usage: unknown;
};

function restOf({ echo }: ResponseFacts, { status, error, completedAt, usage }: End): Record<string, unknown> {
  return { status, completed_at: completedAt, error, incomplete_details: null, usage, ...echo };
}

function callEnd({ action }: ResponseFacts, { end, summary, asked, header }: EndedImage): Record<string, unknown> {
  const { size, ...shown } = shownFacts(end.facts ?? summary?.facts ?? {}, asked, header);
  return {
    status: 'completed',
    action,
    revised_prompt: end.revisedPrompt ?? null,
    // OpenAI has `WIDTHxHEIGHT` here, which clients take apart.
    size: size === 'auto' ? null : size,
    ...shown,
  };
}

function responseEnd(facts: ResponseFacts, { end, summary }: EndedImage): Record<string, unknown> {
  return restOf(facts, {
    status: 'completed',
    error: null,
    completedAt: end.created ?? summary?.created ?? null,
    usage: responseUsage(end.usage ?? summary?.usage),
  });
}
