import { type JsonPath, type JsonShape, type ScanToken, scanWholeJson } from '../../../codec/json-scanner.ts';
import { MalformedJsonError, UnusableTextError } from '../../../codec/json-text.ts';
import { GatewayError } from '../../../domain/gateway-error.ts';
import type { InputReference, InputStore } from '../../../domain/image-input.ts';
import { utf8Only } from '../../request-body.ts';
import { imageUrl, inputFetcher, type JsonImages, readImageUrl, textPieces } from '../../uploads/json-images.ts';
import { invalidMember as invalid, memberName } from '../../uploads/member-name.ts';
import { type ImageSource, receiveBase64 } from '../../uploads/receive-input.ts';
import { RepeatedMembers } from '../../uploads/repeated-members.ts';
import { InputCount, maxKeptText } from './input-count.ts';
import { InputItems } from './input-items.ts';
import { ModelSearch } from './model-search.ts';
import { missingMember, tooLong } from './object-draft.ts';
import { echoOf, type ResponseEcho } from './response-echo.ts';
import { idleMembers, MemberValues, type ResponseMembers } from './response-members.ts';
import { type ImageAction, ToolOptions } from './tool-options.ts';

const part: JsonShape = { members: { image_url: imageUrl }, others: 'keep' };
const item: JsonShape = { members: { content: { items: part }, result: 'stream' }, others: 'keep' };
const mask: JsonShape = { members: { image_url: imageUrl }, others: 'keep' };
const tool: JsonShape = { members: { input_image_mask: mask }, others: 'keep' };
const names: JsonShape = { members: {}, others: 'keep' };

/** OpenAI's CreateResponse; the images in it are never held as text. */
const shape: JsonShape = {
  members: {
    input: { items: item },
    tools: { items: tool },
    metadata: names,
    agent_reference: names,
    agent: names,
  },
  others: 'keep',
};

/** An image of the input: its bytes, or the call or reference to the call that has made it. */
export type ResponseImage = InputReference | { readonly item: string };

/** What a request for a response with one image says. Plain data; the bytes of its images are in the request's input store. */
export type ResponsesBody = {
  /** Names that may be the logical model's. */
  readonly names: {
    readonly agent: string | undefined;
    readonly tool: string | undefined;
    readonly model: string | undefined;
  };
  readonly prompt: string;
  /** In the order of the input. */
  readonly images: readonly ResponseImage[];
  readonly mask: InputReference | undefined;
  readonly action: ImageAction;
  /** Options of the tool, by the names of the Images API. */
  readonly options: Readonly<Record<string, unknown>>;
  /** All other members, with their defaults. */
  readonly members: ResponseMembers;
  readonly echo: ResponseEcho;
  /** Members and items without effect, by name. */
  readonly ignored: readonly string[];
};

export type ResponsesSources = JsonImages & {
  /** Whether a model is served elsewhere, and its requests with it; `undefined`: every request is ours. */
  readonly isElsewhere?: ((model: string) => boolean) | undefined;
};

/**
 * Reads the body of `POST …/responses` while it arrives; images are stored as they arrive, and links are fetched when it is
 * complete. `elsewhere`: it names a model that is served elsewhere; no more is read then. Rejects with a GatewayError that names
 * the member at fault.
 */
export async function readResponsesBody(
  body: AsyncIterable<Buffer>,
  sources: ResponsesSources,
): Promise<ResponsesBody | 'elsewhere'> {
  const search = new ModelSearch(body, sources.isElsewhere);
  try {
    const ours = await readOurs(search.chunks(), sources);
    await search.close();
    return ours;
  } catch (error) {
    // What is wrong here may be right elsewhere.
    if (await search.isElsewhere()) return 'elsewhere';
    await search.close();
    throw error;
  }
}

async function readOurs(chunks: AsyncIterable<Buffer>, sources: ResponsesSources): Promise<ResponsesBody> {
  const tokens = scanWholeJson(utf8Only(chunks), shape, maxKeptText);
  const draft = new BodyDraft();
  try {
    for (let next = await tokens.next(); !next.done; next = await tokens.next()) {
      const token = next.value;
      if (token.type === 'text') draft.addImage(token.path, await readImage(token.path, tokens, sources.inputs));
      else draft.add(token);
    }
  } catch (error) {
    if (error instanceof UnusableTextError) throw unusableImage();
    if (!(error instanceof MalformedJsonError)) throw error;
    throw new GatewayError('invalid_json', "The request's body is not valid JSON.", { cause: error });
  } finally {
    await tokens.return(undefined);
  }
  return draft.finish(inputFetcher(sources));
}

/** Reads the image that has just begun: a URL, or what a call of the tool has made. */
async function readImage(
  path: JsonPath,
  tokens: AsyncIterator<ScanToken>,
  inputs: InputStore,
): Promise<ImageSource | undefined> {
  const name = memberName(path);
  if (path.at(-1) !== 'result') return readImageUrl(name, tokens, inputs);
  try {
    return { input: await receiveBase64(name, textPieces(tokens), inputs) };
  } catch (error) {
    throw error instanceof UnusableTextError ? invalid(name, 'must be an image as base64') : error;
  }
}

/** What has been read of a body so far. */
class BodyDraft {
  readonly #repeated = new RepeatedMembers();
  readonly #count = new InputCount();
  readonly #input = new InputItems(this.#count);
  readonly #tool = new ToolOptions(this.#count);
  readonly #members = new MemberValues(this.#count);
  #sawBody = false;

  addImage(path: JsonPath, source: ImageSource | undefined): void {
    this.#repeated.note(path);
    if (path[0] === 'tools') this.#tool.addMask(path, source);
    else this.#input.addImage(path, source);
  }

  add(token: ScanToken): void {
    if (!('path' in token)) return;
    const { path } = token;
    this.#repeated.note(path);
    if (token.type === 'close') this.#close(path);
    else this.#partOf(path).addValue(path, token.type === 'value' ? token.value : tooLong);
  }

  async finish(inputOf: (source: ImageSource) => Promise<InputReference>): Promise<ResponsesBody> {
    if (!this.#sawBody) throw notAnObject();
    const members = this.#members.parse();
    const { rules, prompts } = this.#input;
    const { options, action, mask, model: tool, echo } = this.#tool;
    const texts = [members.instructions ?? '', ...rules, ...prompts].filter((text) => text !== '');
    if (texts.length === 0) throw missingMember('input');
    const images: ResponseImage[] = [];
    for (const image of this.#input.images) images.push('item' in image ? image : await inputOf(image));
    return {
      names: { agent: (members.agent_reference ?? members.agent)?.name, tool, model: members.model },
      prompt: texts.join('\n\n'),
      images,
      mask: mask && (await inputOf(mask)),
      action,
      options,
      members,
      echo: echoOf(members, echo),
      ignored: [...idleMembers.filter((name) => members[name] !== undefined), ...this.#input.ignored],
    };
  }

  #close(path: JsonPath): void {
    this.#repeated.close(path);
    if (path.length === 0) this.#sawBody = true;
    else this.#partOf(path).close(path);
  }

  #partOf([root]: JsonPath): Pick<InputItems, 'addValue' | 'close'> {
    if (root === undefined) throw notAnObject();
    if (root === 'input') return this.#input;
    return root === 'tools' ? this.#tool : this.#members;
  }
}

/** Where its place is not known, because its first characters have come together with those that it cannot have. */
function unusableImage(): GatewayError {
  return new GatewayError('invalid_value', 'An image of the request has characters that neither base64 nor a URL has.');
}

function notAnObject(): GatewayError {
  return new GatewayError('invalid_value', "The request's body must be a JSON object.");
}
