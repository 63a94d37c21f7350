import { base64MediaType, imageHeaderCharacters } from '../../codec/image-header.ts';
import type { ImageFacts } from '../../domain/image-event.ts';

/** The beginning of an image that passes by as base64: it says what kind of file it is. */
export class SeenHeader {
  #text = '';

  add(chunk: Buffer): void {
    if (this.#text.length < imageHeaderCharacters) this.#text += chunk.toString('latin1', 0, imageHeaderCharacters);
  }

  get mediaType(): string | undefined {
    return base64MediaType(this.#text);
  }
}

/** All four facts of an image: what the upstream did not say is what was asked for, or what is seen. */
export function shownFacts(facts: ImageFacts, asked: ImageFacts, header: SeenHeader) {
  return {
    size: facts.size ?? asked.size ?? 'auto',
    quality: facts.quality ?? asked.quality ?? 'auto',
    background: facts.background ?? asked.background ?? 'auto',
    output_format: facts.outputFormat ?? header.mediaType?.replace('image/', '') ?? asked.outputFormat ?? 'png',
  };
}
