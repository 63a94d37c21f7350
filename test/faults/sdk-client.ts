import OpenAI, { APIError, toFile } from 'openai';
import type { ImageEditParamsNonStreaming, ImageGenerateParamsNonStreaming } from 'openai/resources/images';
import { gatewayKey } from '../helpers/start-gateway.ts';
import type { Reported, ReportedError } from './reported.ts';

type Fields = Readonly<Record<string, unknown>>;

type Wish = {
  readonly fields: Fields;
  readonly headers: Readonly<Record<string, string>>;
  /** To be edited. */
  readonly image: Buffer | undefined;
};

/** The same call through OpenAI's SDK at its default settings: it repeats what it is not told to leave alone. */
export async function sdkCall(url: string, { fields, headers, image }: Wish): Promise<Reported> {
  const openai = new OpenAI({ apiKey: gatewayKey, baseURL: `${url}/v1`, defaultHeaders: headers });
  try {
    if (fields.stream === true) return await streamCall(openai, fields);
    return await plainCall(openai, fields, image);
  } catch (error) {
    return failure(error);
  }
}

async function plainCall(openai: OpenAI, fields: Fields, image: Buffer | undefined): Promise<Reported> {
  const requested =
    image === undefined
      ? openai.images.generate(fields as unknown as ImageGenerateParamsNonStreaming)
      : openai.images.edit(await withFile(fields, image));
  const { data, response } = await requested.withResponse();
  const images = (data.data ?? []).map(({ b64_json }) => b64_json ?? '');
  return success(response.headers, images);
}

async function withFile(fields: Fields, bytes: Buffer): Promise<ImageEditParamsNonStreaming> {
  const image = await toFile(bytes, 'a.png', { type: 'image/png' });
  return { ...fields, image } as unknown as ImageEditParamsNonStreaming;
}

async function streamCall(openai: OpenAI, fields: Fields): Promise<Reported> {
  const requested = openai.images.generate({ ...fields, stream: true } as Parameters<OpenAI['images']['generate']>[0]);
  const { data, response } = await requested.withResponse();
  const images: string[] = [];
  try {
    for await (const event of data as AsyncIterable<{ type: string; b64_json: string }>) {
      if (event.type === 'image_generation.completed') images.push(event.b64_json);
    }
  } catch (error) {
    return { ...success(response.headers, images), error: errorOf(error), isTruncated: !(error instanceof APIError) };
  }
  return success(response.headers, images);
}

function success(headers: Headers, images: readonly string[]): Reported {
  return { status: 200, header: (name) => headers.get(name), error: undefined, images, isTruncated: false, text: '' };
}

/** Without a response there is no status; anything else without an error in it is a body that broke off, head and all. */
function failure(error: unknown): Reported {
  const status = error instanceof APIError ? 0 : 200;
  const truncated = {
    status,
    header: () => null,
    error: undefined,
    images: [],
    isTruncated: true,
    text: String(error),
  };
  if (!(error instanceof APIError) || error.status === undefined) return truncated;
  const headers = new Headers(error.headers);
  return {
    status: error.status,
    header: (name) => headers.get(name),
    error: errorOf(error),
    images: [],
    isTruncated: false,
    text: `${error.message} ${JSON.stringify(error.error)}`,
  };
}

function errorOf(error: unknown): ReportedError | undefined {
  return error instanceof APIError ? (error.error as ReportedError | undefined) : undefined;
}
