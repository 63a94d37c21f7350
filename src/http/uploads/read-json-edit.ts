import type { Readable } from 'node:stream';
import { type JsonPath, type JsonShape, scanWholeJson } from '../../codec/json-scanner.ts';
import { MalformedJsonError, UnusableTextError } from '../../codec/json-text.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import { type InputReference, maxInputs } from '../../domain/image-input.ts';
import { utf8Only } from '../request-body.ts';
import { imageUrl, inputFetcher, type JsonImages, readImageUrl, urlText } from './json-images.ts';
import { invalidMember as invalid, memberName as nameOf } from './member-name.ts';
import type { ImageSource, Upload } from './receive-input.ts';

/** OpenAI's ImageRefParam, and what other clients send: the URL in a member `url` here or within, as in a chat. */
const reference = {
  members: { image_url: imageUrl, url: urlText },
  others: 'keep',
} as const satisfies JsonShape;
const one: JsonShape = { either: [urlText, reference] };
const several: JsonShape = { either: [urlText, reference, { items: one }] };

/** OpenAI's EditImageBodyJsonParam in the shapes in which clients send it; the images in it are never held as text. */
const shape: JsonShape = {
  members: { image: several, images: several, mask: one, markup: one },
  others: 'keep',
};

/** Members of a reference that change nothing. */
const idleMembers: ReadonlyMap<unknown, readonly unknown[]> = new Map([
  ['type', ['image_url', 'input_image']],
  ['detail', ['auto']],
]);

/** A legal prompt can be this long when every character of it is escaped. */
const maxValue = 256 * 1024;

/** As many as a form may have, and no more of them together than the longest value. */
const maxParameters = 32;
const maxCharacters = maxValue;

/**
 * Reads an edit's JSON body while it arrives; data URLs are stored as they arrive. Rejects with a GatewayError that
 * names the member. Links are fetched when the body is complete.
 */
export async function readJsonEdit(body: Readable, sources: JsonImages): Promise<Upload> {
  const edit = new JsonEdit();
  // Destroying the request with its reader would close the connection, and the response could not be sent.
  const tokens = scanWholeJson(utf8Only(body.iterator({ destroyOnReturn: false })), shape, maxValue);
  try {
    for (let next = await tokens.next(); !next.done; next = await tokens.next()) {
      const token = next.value;
      if ('path' in token) edit.refuseRepeated(token.path);
      if (token.type === 'text')
        edit.addImage(token.path, await readImageUrl(nameOf(token.path), tokens, sources.inputs));
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
  return edit.finish(inputFetcher(sources));
}

/** What has been read of a body so far. */
class JsonEdit {
  readonly #seen = new Set<string>();
  readonly #parameters = new Map<string, unknown>();
  /** By their places in the body, each of which holds one. */
  readonly #sources = new Map<string, { readonly path: JsonPath; readonly source: ImageSource }>();
  #sawBody = false;
  #characters = 0;

  /** Refuses a second value at a path: its member, or one around it, is repeated. */
  refuseRepeated(path: JsonPath): void {
    const place = JSON.stringify(path);
    if (this.#seen.has(place)) throw invalid(nameOf(path), 'is given twice');
    this.#seen.add(place);
  }

  /** An empty text in place of an image means that there is none. */
  addImage(path: JsonPath, source: ImageSource | undefined): void {
    const name = nameOf(path);
    if (source === undefined && path.length > 1) throw invalid(name, 'is empty');
    if (source === undefined) return;
    const place = placeOf(path);
    const [root] = place;
    const others = [...this.#sources.values()];
    if (this.#sources.has(nameOf(place))) throw invalid(name, 'is a second URL of the same image');
    if (isList(root) && others.some(({ path: [other] }) => isList(other) && other !== root))
      throw invalid('image', "cannot be combined with 'images'");
    if (isList(root) && this.#in(root).length === maxInputs)
      throw invalid(String(root), `may have ${maxInputs} images at most`);
    this.#sources.set(nameOf(place), { path, source });
  }

  addValue(path: JsonPath, value: unknown): void {
    if (isIdle(path, value)) return;
    checkPlace(path);
    const name = nameOf(path);
    if (typeof value === 'object' && value !== null) throw invalid(name, 'must not be an object or a list');
    this.#characters += name.length + String(value).length;
    if (this.#parameters.size === maxParameters || this.#characters > maxCharacters) throw tooManyParameters();
    this.#parameters.set(name, value);
  }

  /** A value that was not kept. */
  refuseLarge(path: JsonPath): never {
    checkPlace(path);
    throw invalid(nameOf(path), 'is too long, or nested too deeply');
  }

  /** An object or a list has ended: the body, a list of images, or a reference, which must have had one. */
  close(path: JsonPath): void {
    const [root] = path;
    if (path.length === 0) this.#sawBody = true;
    else if (path.length === 1 && isList(root)) return;
    else if (!this.#sources.has(nameOf(placeOf(path)))) throw withoutImage(path);
  }

  async finish(inputOf: (source: ImageSource) => Promise<InputReference>): Promise<Upload> {
    if (!this.#sawBody) throw new GatewayError('invalid_value', "The request's body must be a JSON object.");
    const images: InputReference[] = [];
    for (const source of [...this.#in('image'), ...this.#in('images')]) images.push(await inputOf(source));
    const [[mask], [markup]] = [this.#in('mask'), this.#in('markup')];
    return {
      parameters: Object.fromEntries(this.#parameters),
      images,
      mask: mask && (await inputOf(mask)),
      markup: markup && (await inputOf(markup)),
    };
  }

  /** The images below a member of the body, in order. */
  #in(root: JsonPath[number] | undefined): ImageSource[] {
    return [...this.#sources.values()].filter(({ path }) => path[0] === root).map(({ source }) => source);
  }
}

function isImage([root]: JsonPath): boolean {
  return isList(root) || root === 'mask' || root === 'markup';
}

function isList(root: JsonPath[number] | undefined): boolean {
  return root === 'image' || root === 'images';
}

/** The place of the image that a path below it belongs to: `images[0]`, `mask`. */
function placeOf([root, index]: JsonPath): JsonPath {
  return [root, index].filter((part) => part === root || typeof part === 'number') as JsonPath;
}

/** Whether a value changes nothing: `null` in place of an image, or a member that every reference may have. */
function isIdle(path: JsonPath, value: unknown): boolean {
  if (!isImage(path)) return false;
  return path.length === 1 ? value === null : (idleMembers.get(path.at(-1))?.includes(value) ?? false);
}

/** Throws where a plain value cannot stand. */
function checkPlace(path: JsonPath): void {
  if (path.length === 0) throw new GatewayError('invalid_value', "The request's body must be a JSON object.");
  if (isImage(path)) throw unusableReference(nameOf(path), path);
}

function tooManyParameters(): GatewayError {
  return new GatewayError(
    'request_too_large',
    `The request has more than ${maxParameters} parameters, or they are too long.`,
  );
}

function unusableReference(name: string, path: JsonPath): GatewayError {
  const member = path.at(-1);
  if (member === 'file_id') {
    const message = `'${name}' is not supported: Azure's Images API knows no files. Send the image as a data URL.`;
    return new GatewayError('unsupported_parameter', message, { param: name });
  }
  if (member === 'url') return invalid(name, 'must be a string');
  if (member === 'image_url') return invalid(name, "must be a string, or an object with 'url'");
  if (path.length === 1 && isList(path[0]))
    return invalid(name, "must be a list of URLs, or of objects with 'image_url'");
  if (typeof member === 'number' || path.length === 1)
    return invalid(name, "must be a URL, or an object with 'image_url'");
  return invalid(name, 'is not known', 'unknown_parameter');
}

function withoutImage(path: JsonPath): GatewayError {
  const param = `${nameOf(path)}.${path.at(-1) === 'image_url' ? 'url' : 'image_url'}`;
  return new GatewayError('missing_required_parameter', `'${param}' is missing.`, { param });
}
