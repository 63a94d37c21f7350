import type { JsonPath } from '../../../codec/json-scanner.ts';
import { invalidMember as invalid, memberName } from '../../uploads/member-name.ts';
import type { ImageSource } from '../../uploads/receive-input.ts';
import type { InputCount } from './input-count.ts';
import { missingMember, ObjectDraft } from './object-draft.ts';

const keptMembers = ['type', 'text', 'image_url', 'file_id'];

/** What clients add to any part, and what changes nothing here. */
const idleMembers = ['detail', 'prompt_cache_breakpoint'];

/** Collects the content of one message while it arrives. Paths begin with the message, as `input[0].content[1].text`. */
export class MessageParts {
  readonly texts: string[] = [];
  readonly images: ImageSource[] = [];
  /** Types of parts that have no effect. */
  readonly idle = new Set<string>();
  /** Whether the content is a list, and has ended. */
  isComplete = false;
  readonly #count: InputCount;
  #part = new ObjectDraft('', keptMembers);

  constructor(count: InputCount) {
    this.#count = count;
  }

  addValue(path: JsonPath, value: unknown): void {
    const member = String(path.at(-1));
    if (path.length === 5) this.#at(path).add(member, value);
    else if (path.length < 5) throw invalid(memberName(path), 'must be an object');
    else if (member === 'url') throw invalid(memberName(path), 'must be a string');
    else if (!idleMembers.includes(member)) throw invalid(memberName(path), 'is not known', 'unknown_parameter');
  }

  addImage(path: JsonPath, source: ImageSource): void {
    if (this.#at(path).has('image_url')) throw invalid(memberName(path), 'is a second URL of the same image');
    this.#at(path).add('image_url', source);
  }

  close(path: JsonPath): void {
    if (path.length === 3) this.isComplete = true;
    else if (path.length === 4) this.#end(this.#at(path));
    else if (!this.#at(path).has('image_url')) throw missingMember(`${memberName(path)}.url`);
  }

  /** The part that the path is in. */
  #at(path: JsonPath): ObjectDraft {
    const name = memberName(path.slice(0, 4));
    if (this.#part.name !== name) this.#part = new ObjectDraft(name, keptMembers);
    return this.#part;
  }

  #end(part: ObjectDraft): void {
    const type = part.type();
    if (type === 'input_text') this.#addText(part);
    else if (type === 'input_image') this.#endImage(part);
    // What a chat model has said.
    else if (type === 'output_text' || type === 'refusal') this.idle.add(type);
    else throw invalid(`${part.name}.type`, "must be 'input_text' or 'input_image'");
  }

  #addText(part: ObjectDraft): void {
    part.allowOnly('type', 'text', ...idleMembers);
    const text = part.requiredText('text');
    this.#count.countText(text);
    if (text !== '') this.texts.push(text);
  }

  #endImage(part: ObjectDraft): void {
    if (part.has('file_id')) {
      const problem = 'is not supported: this gateway keeps no files. Send the image as a data URL';
      throw invalid(`${part.name}.file_id`, problem, 'unsupported_parameter');
    }
    part.allowOnly('type', 'image_url', ...idleMembers);
    const source = part.image('image_url', 'must be a data URL or an https URL');
    if (source === undefined) throw missingMember(`${part.name}.image_url`);
    this.#count.countImage();
    this.images.push(source);
  }
}
