import type { EditInputs, InputReader, InputStore } from '../domain/image-input.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { Trace } from '../domain/trace.ts';
import type { Caller } from './caller.ts';

/** What another process needs to run a request that no client waits for. */
export type StoredRequest = {
  readonly request: Omit<ImageRequest, 'edit'>;
  readonly edit: Omit<EditInputs, 'inputs'> | undefined;
  readonly timeoutMs: number | undefined;
  readonly maxRetries: number | undefined;
  readonly requestId: string | undefined;
  readonly trace: Trace | undefined;
};

type Sender = Pick<Caller, 'timeoutMs' | 'maxRetries' | 'requestId' | 'trace'>;

/** The request as text, without the bytes of its inputs. */
export function textOfRequest(
  { edit, ...request }: ImageRequest,
  { timeoutMs, maxRetries, requestId, trace }: Sender,
): string {
  const { images, mask, markup } = edit ?? {};
  const stored = { request, edit: edit && { images, mask, markup }, timeoutMs, maxRetries, requestId, trace };
  return JSON.stringify(stored);
}

/** @param inputs those of an edit */
export function requestOfText(
  text: string,
  inputs: InputReader & Pick<InputStore, 'release'>,
): { readonly request: ImageRequest; readonly caller: Sender } {
  const { request, edit, ...caller } = JSON.parse(text) as StoredRequest;
  const { mask, markup, ...images } = edit ?? {};
  const whole = { ...request, edit: edit && { ...images, mask, markup, inputs } };
  return { request: whole as ImageRequest, caller: caller as Sender };
}
