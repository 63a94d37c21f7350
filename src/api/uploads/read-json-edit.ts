import type { Readable } from 'node:stream';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageDownload } from '../../domain/image-download.ts';
import { type ImageInput, mostInputs } from '../../domain/image-input.ts';
import type { InputSpool } from '../../domain/input-spool.ts';
import type { JsonPath, JsonShape, ScanToken } from '../../json/json-scanner.ts';
import { MalformedJsonError } from '../../json/malformed-json-error.ts';
import { scanWholeJson } from '../../json/scan-json.ts';
import { UnusableTextError } from '../../json/unescape-text.ts';
import { type ImageSource, imageSource } from './image-source.ts';
import { receiveInput, type Upload } from './upload.ts';

const reference: JsonShape = { members: { image_url: 'stream-ascii' }, others: 'keep' };

/** OpenAI's EditImageBodyJsonParam; the pictures in it are never held as text. */
const shape: JsonShape = {
  members: { images: { items: reference }, mask: reference, markup: reference },
  others: 'keep',
};

/** A legal prompt can be this long when every character of it is escaped. */
const longestValue = 256 * 1024;

/** As many as a form may have, and no more of them together than the longest value. */
const mostParameters = 32;
const mostCharacters = longestValue;

type Sources = {
  readonly spool: InputSpool;
  readonly download: ImageDownload | undefined;
  readonly signal: AbortSignal;
  /** How long all links together may take: nothing else bounds a server that sends its picture drop by drop. */
  readonly linksMs?: number;
  /** How much they may bring, in bytes. */
  readonly linkBytes: number;
};

const usualLinksMs = 60_000;

/**
 * Reads an edit's JSON body while it arrives; data URLs go to the spool as they come. Rejects with a GatewayError that
 * names the member. Links are fetched when the body is complete.
 */
export async function readJsonEdit(body: Readable, sources: Sources): Promise<Upload> {
  const { spool, download, signal, linksMs = usualLinksMs, linkBytes } = sources;
  const edit = new JsonEdit();
  // The request must outlive its reader: destroyed with it, it would lose its connection, and the answer with that.
  const tokens = scanWholeJson(body.iterator({ destroyOnReturn: false }), shape, longestValue);
  try {
    for (let next = await tokens.next(); !next.done; next = await tokens.next()) {
      const token = next.value;
      if (token.type === 'text') edit.addImage(token.path, await readSource(nameOf(token.path), pieces(tokens), spool));
      else if (token.type === 'value') edit.addValue(token.path, token.value);
      else if (token.type === 'dropped') edit.refuseLarge(token.path);
      else if (token.type === 'close') edit.close(token.path);
    }
  } catch (error) {
    // Escapes may stand for characters that neither base64 nor a URL has.
    if (error instanceof UnusableTextError) throw invalid('image_url', 'must be a data URL or an https URL');
    if (!(error instanceof MalformedJsonError)) throw error;
    throw new GatewayError('invalid_json', "The request's body is not valid JSON.", { cause: error });
  } finally {
    await tokens.return(undefined);
  }
  const either = AbortSignal.any([signal, AbortSignal.timeout(linksMs)]);
  let leftBytes = linkBytes;
  return edit.finish(async ({ link, name }) => {
    if (download === undefined) throw linksRefused(name);
    if (leftBytes <= 0) throw tooMuchBehindLinks(name, linkBytes);
    const input = await receiveInput(name, fetched(name, download(link, either)), spool);
    leftBytes -= input.bytes;
    return input;
  });
}

/** Escapes may stand for characters that neither base64 nor a URL has. */
async function readSource(name: string, text: AsyncGenerator<Buffer>, spool: InputSpool): Promise<ImageSource> {
  try {
    return await imageSource(name, text, spool);
  } catch (error) {
    throw error instanceof UnusableTextError ? invalid(name, 'must be a data URL or an https URL') : error;
  }
}

/** The text that has just begun. */
async function* pieces(tokens: AsyncIterator<ScanToken>): AsyncGenerator<Buffer> {
  for (let next = await tokens.next(); !next.done; next = await tokens.next()) {
    if (next.value.type === 'text-end') return;
    if (next.value.type === 'piece') yield next.value.bytes;
  }
}

/** What a body has told so far. */
class JsonEdit {
  readonly #parameters = new Map<string, unknown>();
  readonly #images: ImageSource[] = [];
  readonly #overlays = new Map<string, ImageSource>();
  #sawBody = false;
  #characters = 0;

  addImage(path: JsonPath, source: ImageSource): void {
    const name = nameOf(path);
    const isImage = path[0] === 'images';
    if (isImage && path[1] !== this.#images.length) throw invalid(name, 'is given twice');
    if (isImage && this.#images.length === mostInputs)
      throw invalid('images', `may have ${mostInputs} pictures at most`);
    if (!isImage && this.#overlays.has(String(path[0]))) throw invalid(name, 'is given twice');
    if (isImage) this.#images.push(source);
    else this.#overlays.set(String(path[0]), source);
  }

  addValue(path: JsonPath, value: unknown): void {
    if (value === null && path.length === 1 && isPicture(path)) return;
    checkPlace(path);
    const name = nameOf(path);
    if (this.#parameters.has(name)) throw invalid(name, 'is given twice');
    if (typeof value === 'object' && value !== null) throw invalid(name, 'must not be an object or a list');
    this.#characters += name.length + String(value).length;
    if (this.#parameters.size === mostParameters || this.#characters > mostCharacters) throw tooManyParameters();
    this.#parameters.set(name, value);
  }

  /** A value that was not kept. */
  refuseLarge(path: JsonPath): never {
    checkPlace(path);
    throw invalid(nameOf(path), 'is too long, or nested too deeply');
  }

  /** An object has ended: the body, or a reference, which must have had a picture. */
  close(path: JsonPath): void {
    if (path.length === 0) this.#sawBody = true;
    else if (path[0] === 'images' && path.length === 1) return;
    else if (path[0] === 'images' && path[1] !== this.#images.length - 1) throw withoutPicture(path);
    else if (path[0] !== 'images' && !this.#overlays.has(String(path[0]))) throw withoutPicture(path);
  }

  async finish(fetch: (source: Extract<ImageSource, { link: string }>) => Promise<ImageInput>): Promise<Upload> {
    if (!this.#sawBody) throw new GatewayError('invalid_value', "The request's body must be a JSON object.");
    const inputOf = async (source: ImageSource) => ('link' in source ? await fetch(source) : source.input);
    const images: ImageInput[] = [];
    for (const source of this.#images) images.push(await inputOf(source));
    const [mask, markup] = [this.#overlays.get('mask'), this.#overlays.get('markup')];
    return {
      parameters: Object.fromEntries(this.#parameters),
      images,
      mask: mask && (await inputOf(mask)),
      markup: markup && (await inputOf(markup)),
    };
  }
}

async function* fetched(name: string, download: ReturnType<ImageDownload>): AsyncGenerator<Buffer> {
  try {
    yield* (await download).bytes;
  } catch (cause) {
    // One answer for every reason: it must not tell what there is at an address.
    throw new GatewayError('invalid_value', `'${name}' leads to no picture that can be fetched.`, {
      param: name,
      cause,
    });
  }
}

function isPicture([first]: JsonPath): boolean {
  return first === 'images' || first === 'mask' || first === 'markup';
}

/** Throws where a plain value cannot stand. */
function checkPlace(path: JsonPath): void {
  if (path.length === 0) throw new GatewayError('invalid_value', "The request's body must be a JSON object.");
  if (isPicture(path)) throw unusableReference(nameOf(path), path);
  if (path[0] === 'image') {
    throw invalid('image', "is for multipart forms; in JSON it is 'images'", 'unknown_parameter');
  }
}

function tooManyParameters(): GatewayError {
  return new GatewayError(
    'request_too_large',
    `The request has more than ${mostParameters} parameters, or they are too long.`,
  );
}

function tooMuchBehindLinks(param: string, bytes: number): GatewayError {
  const message = `The pictures behind links are longer than ${bytes} bytes together ('limits.uploadBytes').`;
  return new GatewayError('request_too_large', message, { param });
}

function linksRefused(param: string): GatewayError {
  const message = `'${param}' must be a data URL: this gateway fetches no pictures from elsewhere.`;
  return new GatewayError('unsupported_parameter', message, { param });
}

function unusableReference(name: string, path: JsonPath): GatewayError {
  const member = path.at(-1);
  if (member === 'file_id') {
    const message = `'${name}' is not supported: Azure's Images API knows no files. Send the picture as a data URL.`;
    return new GatewayError('unsupported_parameter', message, { param: name });
  }
  if (member === 'image_url') return invalid(name, 'must be a string');
  if (path[0] === 'images' && path.length === 1) return invalid(name, "must be a list of objects with 'image_url'");
  if (typeof member === 'number' || path.length === 1) return invalid(name, "must be an object with 'image_url'");
  return invalid(name, 'is not known', 'unknown_parameter');
}

function withoutPicture(path: JsonPath): GatewayError {
  const param = `${nameOf(path)}.image_url`;
  return new GatewayError('missing_required_parameter', `'${param}' is missing.`, { param });
}

function invalid(
  param: string,
  problem: string,
  kind: 'invalid_value' | 'unknown_parameter' = 'invalid_value',
): GatewayError {
  return new GatewayError(kind, `'${param}' ${problem}.`, { param });
}

/** `images[0].image_url`. What the caller made up is shown only when it looks like a name. */
function nameOf(path: JsonPath): string {
  return path
    .map((part) => (typeof part === 'number' ? `[${part}]` : `.${/^[A-Za-z0-9_.-]{1,64}$/.test(part) ? part : '?'}`))
    .join('')
    .slice(1);
}
