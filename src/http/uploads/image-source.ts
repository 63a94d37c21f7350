import { decodeBase64 } from '../../codec/base64.ts';
import { replay } from '../../concurrency/replay.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { InputReference, InputStore } from '../../domain/image-input.ts';
import { receiveInput } from './upload.ts';

/** Where an image of a JSON body comes from: it stood there itself, or behind a link. `name`: of the member. */
export type ImageSource = { readonly input: InputReference } | { readonly link: string; readonly name: string };

const maxLink = 8 * 1024;

/** Long enough for the head of any data URL, up to its comma. */
const maxHead = 256;

/** Reads an image's URL while it arrives: a data URL goes to the store, anything else is a link. `undefined`: it is empty. */
export async function imageSource(
  name: string,
  pieces: AsyncGenerator<Buffer>,
  inputs: InputStore,
): Promise<ImageSource | undefined> {
  const head = await readHead(pieces);
  if (head.length === 0) return undefined;
  const text = head.toString('latin1');
  if (!/^data:/i.test(text)) return { link: await readLink(name, head, pieces), name };
  const comma = text.indexOf(',');
  if (comma === -1 || !/;base64$/i.test(text.slice(0, comma).trimEnd())) {
    throw new GatewayError('invalid_value', `'${name}' must be a data URL in base64.`, { param: name });
  }
  const rest = replay([head.subarray(comma + 1)], pieces);
  return {
    input: await receiveInput(
      name,
      decodeBase64(rest, () => damaged(name)),
      inputs,
    ),
  };
}

/** The beginning of a text: all of a data URL's head, if it is one. */
async function readHead(pieces: AsyncGenerator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < maxHead && !head.includes(',')) {
    const { value, done } = await pieces.next();
    if (done) break;
    head = Buffer.concat([head, value]);
  }
  return head;
}

async function readLink(name: string, head: Buffer, pieces: AsyncGenerator<Buffer>): Promise<string> {
  let link = head.toString('latin1');
  for await (const piece of pieces) {
    if (link.length <= maxLink) link += piece.toString('latin1');
  }
  if (link.length > maxLink || !/^https:\/\/[ -~]*$/i.test(link)) {
    throw new GatewayError('invalid_value', `'${name}' must be a data URL or an https URL.`, { param: name });
  }
  return link;
}

function damaged(name: string): GatewayError {
  return new GatewayError('invalid_image_file', `'${name}' is not valid base64.`, { param: name });
}
