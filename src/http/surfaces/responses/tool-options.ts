import type { JsonPath } from '../../../codec/json-scanner.ts';
import type { GatewayError } from '../../../domain/gateway-error.ts';
import { furtherToolOptions } from '../../../domain/image-tool.ts';
import { invalidMember as invalid, memberName } from '../../uploads/member-name.ts';
import type { ImageSource } from '../../uploads/receive-input.ts';
import type { InputCount } from './input-count.ts';
import { missingMember, ObjectDraft } from './object-draft.ts';

/** Options of the tool that the Images API has by the same names. */
const imageOptions: readonly string[] = [
  ...['quality', 'size', 'background', 'output_format', 'output_compression', 'moderation', 'partial_images'],
  ...['input_fidelity', ...furtherToolOptions],
];

const mask = 'input_image_mask';
const toolMembers = ['type', 'model', 'action', 'n', mask, ...imageOptions];

/** Whether the images of the input are to be edited; `auto`: if there are any. */
export type ImageAction = 'auto' | 'generate' | 'edit';

/** Collects `tools` while it arrives, which may have the image tool only. Paths begin with `tools`. */
export class ToolOptions {
  /** By the names of the Images API. */
  options: Readonly<Record<string, unknown>> = {};
  model: string | undefined;
  action: ImageAction = 'auto';
  mask: ImageSource | undefined;
  /** The tools as the response repeats them, without the bytes of a mask. */
  echo: readonly Readonly<Record<string, unknown>>[] = [];
  readonly #count: InputCount;
  #tool = new ObjectDraft('', toolMembers);

  constructor(count: InputCount) {
    this.#count = count;
  }

  /** A value, or `tooLong` in its place. Throws a GatewayError that names it where it cannot stand. */
  addValue(path: JsonPath, value: unknown): void {
    if (path.length === 3) this.#at(path).add(String(path[2]), value);
    else if (path.length > 3) refuseInMask(path, value);
    else if (path.length === 2) throw invalid(memberName(path), 'must be an object');
    else if (value !== null) throw invalid('tools', 'must be a list');
  }

  /** A mask has been read; `undefined`: its text was empty. */
  addMask(path: JsonPath, source: ImageSource | undefined): void {
    if (source === undefined) throw invalid(memberName(path), 'is empty');
    this.#at(path).add(mask, source);
  }

  /** An object or a list has ended. */
  close(path: JsonPath): void {
    if (path.length === 2) this.#end(this.#at(path));
    else if (path.length > 2 && !this.#at(path).has(mask)) throw withoutMask(path);
  }

  /** The tool that the path is in. */
  #at(path: JsonPath): ObjectDraft {
    const name = memberName(path.slice(0, 2));
    if (this.#tool.name !== name) this.#tool = new ObjectDraft(name, toolMembers);
    return this.#tool;
  }

  #end(tool: ObjectDraft): void {
    if (tool.type() !== 'image_generation' || this.echo.length > 0) {
      const problem = "may have one tool, 'image_generation', because this gateway serves images only";
      throw invalid('tools', problem, 'unsupported_parameter');
    }
    tool.allowOnly(...toolMembers);
    this.mask = tool.image(mask, "must be an object with 'image_url'");
    this.model = tool.text('model');
    this.action = actionOf(tool);
    const values = [...tool.values()];
    const count = values.find(([name]) => name === 'n')?.[1] ?? 1;
    if (count !== 1) throw invalid(`${tool.name}.n`, 'must be 1: a response has one image', 'unsupported_parameter');
    this.options = Object.fromEntries(values.filter(([name]) => imageOptions.includes(name)));
    this.echo = [Object.fromEntries(values.map(([name, value]) => [name, name === mask ? {} : value]))];
    this.#count.countText(this.echo);
  }
}

function actionOf(tool: ObjectDraft): ImageAction {
  const action = tool.text('action') ?? 'auto';
  if (action === 'auto' || action === 'generate' || action === 'edit') return action;
  throw invalid(`${tool.name}.action`, "must be 'auto', 'generate' or 'edit'");
}

/** Refuses what stands within a mask, and is no URL. */
function refuseInMask(path: JsonPath, value: unknown): void {
  const [name, member] = [memberName(path), path.at(-1)];
  if (value === null) return;
  if (member === 'file_id' && path.length === 4) {
    const problem = 'is not supported: this gateway keeps no files. Send the mask as a data URL';
    throw invalid(name, problem, 'unsupported_parameter');
  }
  if (member === 'image_url' || member === 'url') throw invalid(name, 'must be a data URL or an https URL');
  throw invalid(name, 'is not known', 'unknown_parameter');
}

function withoutMask(path: JsonPath): GatewayError {
  return missingMember(`${memberName(path)}.${path.length === 3 ? 'image_url' : 'url'}`);
}
