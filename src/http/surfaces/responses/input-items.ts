import type { JsonPath } from '../../../codec/json-scanner.ts';
import { invalidMember as invalid, memberName } from '../../uploads/member-name.ts';
import type { ImageSource } from '../../uploads/receive-input.ts';
import type { InputCount, InputImage } from './input-count.ts';
import { MessageParts } from './message-parts.ts';
import { missingMember, ObjectDraft, tooLong } from './object-draft.ts';

/**
 * What other tools and chat models leave in the history of a conversation (OpenAI's ResponseInputItem). An image model has no
 * use for it.
 */
const idleItems: ReadonlySet<string> = new Set([
  ...['reasoning', 'compaction', 'web_search_call', 'file_search_call', 'code_interpreter_call'],
  ...['function_call', 'function_call_output', 'custom_tool_call', 'custom_tool_call_output'],
  ...['computer_call', 'computer_call_output', 'local_shell_call', 'local_shell_call_output'],
  ...['shell_call', 'shell_call_output', 'apply_patch_call', 'apply_patch_call_output'],
  ...['tool_search_call', 'tool_search_output', 'mcp_list_tools', 'mcp_call'],
  ...['mcp_approval_request', 'mcp_approval_response'],
]);

const roles = ['user', 'system', 'developer', 'assistant'];

const keptMembers = ['type', 'role', 'id', 'status', 'content', 'result'];

/** Collects `input` while it arrives: its texts, and its images in order. Paths begin with `input`. */
export class InputItems {
  /** What system and developer say. */
  readonly rules: string[] = [];
  readonly prompts: string[] = [];
  readonly images: InputImage[] = [];
  /** What has no effect, as `x-gateway-adapted` names it. */
  readonly ignored = new Set<string>();
  readonly #count: InputCount;
  #item = new ObjectDraft('', keptMembers);
  #parts: MessageParts;

  constructor(count: InputCount) {
    this.#count = count;
    this.#parts = new MessageParts(count);
  }

  /** A value, or `tooLong` in its place. Throws a GatewayError that names it where it cannot stand. */
  addValue(path: JsonPath, value: unknown): void {
    if (path.length === 1) this.#addWhole(value);
    else if (path.length === 2) throw invalid(memberName(path), 'must be an object');
    else if (path.length === 3) this.#at(path).add(String(path[2]), value);
    else this.#parts.addValue(path, value);
  }

  /** An image has been read; `undefined`: its text was empty. */
  addImage(path: JsonPath, source: ImageSource | undefined): void {
    if (source === undefined) throw invalid(memberName(path), 'is empty');
    if (path.length === 3) this.#at(path).add('result', source);
    else this.#parts.addImage(path, source);
  }

  /** An object or a list has ended. */
  close(path: JsonPath): void {
    if (path.length > 2) this.#parts.close(path);
    else if (path.length === 2) this.#end(this.#at(path));
  }

  #addWhole(value: unknown): void {
    if (value === null) return;
    if (value === tooLong) throw invalid('input', 'is too long');
    if (typeof value !== 'string') throw invalid('input', 'must be a string or a list of items');
    this.#count.countText(value);
    if (value !== '') this.prompts.push(value);
  }

  /** The item that the path is in. */
  #at(path: JsonPath): ObjectDraft {
    const name = memberName(path.slice(0, 2));
    if (this.#item.name !== name) this.#item = new ObjectDraft(name, keptMembers);
    return this.#item;
  }

  #end(item: ObjectDraft): void {
    const type = item.type(impliedType(item));
    if (type === 'message') this.#endMessage(item);
    else if (type === 'image_generation_call') this.#endCall(item);
    else if (type === 'item_reference') this.#endReference(item);
    else if (idleItems.has(type)) this.ignored.add(`input.${type}`);
    else throw invalid(`${item.name}.type`, 'is not supported: this gateway serves images only');
    this.#parts = new MessageParts(this.#count);
  }

  #endMessage(item: ObjectDraft): void {
    item.allowOnly('type', 'role', 'content', 'id', 'status', 'phase');
    const role = item.requiredText('role');
    if (!roles.includes(role)) throw invalid(`${item.name}.role`, `must be one of ${roles.join(', ')}`);
    const { texts, images, idle, isComplete } = this.#parts;
    const content = item.text('content', 'must be a string or a list of parts');
    if (content === undefined && !isComplete) throw missingMember(`${item.name}.content`);
    this.images.push(...images);
    for (const type of idle) this.ignored.add(`input.${type}`);
    const said = content === undefined ? texts : [content];
    // What a chat model has said in between asks for nothing.
    if (role === 'assistant') {
      if (said.length > 0) this.ignored.add('input.output_text');
      return;
    }
    if (content !== undefined) this.#count.countText(content);
    (role === 'user' ? this.prompts : this.rules).push(...said.filter((text) => text !== ''));
  }

  /** The image itself counts where its id is given, too. A call that has failed made none. */
  #endCall(item: ObjectDraft): void {
    const result = item.image('result', 'must be an image as base64');
    if (result !== undefined) this.#addImage(result);
    else if (item.text('status') !== 'failed') this.#endReference(item);
    else this.ignored.add('input.image_generation_call');
  }

  #endReference(item: ObjectDraft): void {
    const id = item.requiredText('id');
    if (!/^[\w-]{1,128}$/.test(id)) throw invalid(`${item.name}.id`, 'is not the id of an image');
    this.#addImage({ item: id });
  }

  #addImage(image: InputImage): void {
    this.#count.countImage();
    this.images.push(image);
  }
}

/** Only messages and references may leave their type out. */
function impliedType(item: ObjectDraft): string | undefined {
  if (item.has('role') || item.has('content')) return 'message';
  return item.has('id') && !item.has('result') ? 'item_reference' : undefined;
}
