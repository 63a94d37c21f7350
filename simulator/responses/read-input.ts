import { missingParameter, type PlainAnswer, unknownParameter } from '../azure-errors.ts';
import { isObject } from '../request-body.ts';
import { invalidMember } from './response-errors.ts';

/** What the messages of a request say and show. The images are data URLs. */
export type ReadInput = { readonly prompt: string; readonly images: readonly string[] };

type Part = { readonly text: string } | { readonly image: string };

/** Reads `input`: a text, or a list of messages of the user (CONTRACTS §3.4). */
export function readInput(input: unknown): ReadInput | PlainAnswer {
  if (input === undefined) return missingParameter('input');
  if (typeof input === 'string') return { prompt: input, images: [] };
  if (!Array.isArray(input)) return invalidMember('input', 'must be a text or a list of messages');
  const parts: Part[] = [];
  for (const [position, message] of input.entries()) {
    const read = readMessage(message, `input[${position}]`);
    if ('status' in read) return read;
    parts.push(...read.parts);
  }
  const prompt = parts.flatMap((part) => ('text' in part ? [part.text] : [])).join('\n');
  return { prompt, images: parts.flatMap((part) => ('image' in part ? [part.image] : [])) };
}

function readMessage(message: unknown, name: string): { parts: Part[] } | PlainAnswer {
  if (!isObject(message)) return invalidMember(name, 'must be a message');
  const { type = 'message', role, content, ...others } = message;
  const [other] = Object.keys(others);
  if (other !== undefined) return unknownParameter(`${name}.${other}`);
  if (type !== 'message' || role !== 'user') return invalidMember(name, 'must be a message of the user');
  if (typeof content === 'string') return { parts: [{ text: content }] };
  if (!Array.isArray(content)) return invalidMember(`${name}.content`, 'must be a text or a list of parts');
  const parts: Part[] = [];
  for (const [position, part] of content.entries()) {
    const read = readPart(part, `${name}.content[${position}]`);
    if ('status' in read) return read;
    parts.push(read);
  }
  return { parts };
}

function readPart(part: unknown, name: string): Part | PlainAnswer {
  if (!isObject(part)) return invalidMember(name, 'must be a part');
  const { type, ...members } = part;
  const wanted = type === 'input_text' ? 'text' : 'image_url';
  if (type !== 'input_text' && type !== 'input_image') return invalidMember(`${name}.type`, 'is no known part');
  const other = Object.keys(members).find((member) => member !== wanted);
  if (other !== undefined) return unknownParameter(`${name}.${other}`);
  const { [wanted]: value } = members;
  if (typeof value !== 'string') return invalidMember(`${name}.${wanted}`, 'must be a text');
  return type === 'input_text' ? { text: value } : { image: value };
}
