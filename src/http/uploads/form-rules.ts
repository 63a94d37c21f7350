import { GatewayError } from '../../domain/gateway-error.ts';
import { largestInput } from './upload.ts';

const maxParts = 50;

/** How forms are parsed. Fields come as bytes, like files: the parser's own decoding replaces what is not UTF-8. */
export const formOptions = {
  isPartAFile: () => true,
  limits: {
    // One more than allowed, so that the file that is too long can be named.
    fileSize: largestInput + 1,
    files: maxParts,
    parts: maxParts,
    headerPairs: 64,
    headerSize: 16 * 1024,
  },
};

export const maxFiles = 18;
export const maxFields = 32;

/** In bytes: a prompt of 32,000 characters can have 128,000. */
export const maxField = 128 * 1024;

/** RFC 2046, 5.1.1: 70 characters; some clients are known to take more. */
const maxBoundary = 200;

const messages: Readonly<Record<string, [kind: 'request_too_large' | 'invalid_request', message: string]>> = {
  FST_REQ_FILE_TOO_LARGE: ['request_too_large', `A file of the form is longer than ${largestInput} bytes.`],
  FST_FILES_LIMIT: ['request_too_large', `The form has more than ${maxParts} parts.`],
  FST_PARTS_LIMIT: ['request_too_large', `The form has more than ${maxParts} parts.`],
  FST_PROTO_VIOLATION: ['invalid_request', 'The form has a field whose name is not allowed.'],
};

/** What the parser complains about, in our words. Anything that it has no name for is a form that breaks off or is none. */
export function formError(error: unknown): GatewayError {
  if (error instanceof GatewayError) return error;
  const { code = '' } = error as { code?: string };
  const [kind, message] = messages[code] ?? ['invalid_request', 'The multipart form is damaged, or ends too early.'];
  return new GatewayError(kind, message, { cause: error });
}

/** What separates the parts of a form. Throws a GatewayError for a content type without a usable boundary. */
export function boundaryOf(contentType = ''): string {
  const [, quoted, plain] = /boundary=(?:"([^"]*)"|([^;\s]*))/i.exec(contentType) ?? [];
  const boundary = quoted ?? plain ?? '';
  if (boundary.length > 0 && boundary.length <= maxBoundary) return boundary;
  throw new GatewayError('invalid_request', 'The content type of the form has no boundary, or a very long one.');
}

/** A part is a file by its name, whatever its headers say: some callers leave the filename out, some the type. */
export function isFormFile(name: string | undefined, filename: string | undefined): boolean {
  return filename !== undefined || name === undefined || /^(?:image|mask|markup)(?:\[\d*\])?$/.test(name);
}
