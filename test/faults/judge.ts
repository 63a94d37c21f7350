import { expect } from 'vitest';
import { tinyPng } from '../fixtures/images.ts';
import { isStreamed, legsOf, type Mode } from './modes.ts';
import type { Reported } from './reported.ts';
import type { Expected } from './table/expected.ts';

/** The response is what its caller should get: status, OpenAI's error shape, wait headers, and images. */
export function expectReported(response: Reported, reported: Expected, mode: Mode): void {
  expect(seenBy(response)).toEqual(wanted(reported, mode));
}

function seenBy({ status, header, error, images, isTruncated }: Reported): Record<string, unknown> {
  return {
    status,
    isTruncated,
    images: images.map(shapeOf),
    error: error && { type: error.type, param: error.param, code: error.code, hasMessage: !!error.message },
    ...(status >= 400 && {
      shouldRetry: header('x-should-retry'),
      retryAfterMs: roughly(header('retry-after-ms')),
      retryAfter: header('retry-after'),
      hasRequestId: header('x-request-id') !== null,
    }),
  };
}

function wanted(reported: Expected, mode: Mode): Record<string, unknown> {
  const { status, code, param = null, shouldRetry = null, retryAfterMs = null, image } = reported;
  const isTruncated = reported.end === 'truncated' && !isStreamed(mode);
  const retryAfter = retryAfterMs === null ? null : String(Math.ceil(retryAfterMs / 1_000));
  return {
    status,
    isTruncated,
    images: image === undefined ? [] : Array(reported.images ?? legsOf(mode)).fill(image),
    error: code === undefined || isTruncated ? undefined : { type: typeOf(code), param, code, hasMessage: true },
    ...(status >= 400 && { shouldRetry, retryAfterMs, retryAfter, hasRequestId: true }),
  };
}

/** What an image in base64 is: the one that the upstream made, a beginning of it, or neither. */
function shapeOf(image: string): string {
  const [bytes, whole] = [image, tinyPng].map((text) => Buffer.from(text, 'base64')) as [Buffer, Buffer];
  if (bytes.equals(whole)) return 'whole';
  return bytes.length > 12 && whole.subarray(0, bytes.length).equals(bytes) ? 'cut' : image;
}

/** A long wait that has gone on for a moment is as good as the whole one. */
function roughly(text: string | null): number | null {
  const ms = Number(text);
  if (text === null) return null;
  return ms > 500 ? Math.ceil(ms / 500) * 500 : ms;
}

const types: Readonly<Record<string, string>> = {
  rate_limit_exceeded: 'requests',
  insufficient_quota: 'insufficient_quota',
  content_policy_violation: 'image_generation_user_error',
  moderation_blocked: 'image_generation_user_error',
  invalid_image_file: 'invalid_request_error',
  invalid_value: 'invalid_request_error',
};
const typeOf = (code: string): string => types[code] ?? 'server_error';
