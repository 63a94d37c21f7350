import { GatewayError } from '../domain/gateway-error.ts';
import { type ConvertedFormat, UnusableImageError } from '../domain/image-conversion.ts';
import { type EditInputs, type InputReference, type InputStore, maxInputBytes } from '../domain/image-input.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import { checkInputs } from '../parameters/edit-inputs.ts';
import { inputConversion } from '../parameters/input-conversion.ts';
import type { Converting } from './converted-events.ts';

/**
 * The images of one generation's edit in the types that families take: each is converted once for a type, whichever calls need
 * it, and before any of them is paid for. They are freed with the signal of the generation, which is aborted when it has ended.
 */
export class ConvertedInputs {
  readonly #converting: Converting | undefined;
  readonly #consumer: string;
  readonly #signal: AbortSignal;
  readonly #converted = new Map<string, Promise<InputReference>>();
  readonly #ready = new Map<string, InputReference>();
  /** By the images in them. */
  readonly #stores = new Map<string, InputStore>();

  constructor(converting: Converting | undefined, consumer: string, signal: AbortSignal) {
    this.#converting = converting;
    this.#consumer = consumer;
    this.#signal = signal;
  }

  /** The request with the images that a family takes; `undefined` as long as they have to be converted. */
  fitted(request: ImageRequest, family: ModelCapabilities): ImageRequest | undefined {
    const { edit } = request;
    if (edit === undefined) return request;
    const images = edit.images.map((image) => this.#inForm(image, family));
    if (images.some((image) => image === undefined)) return undefined;
    return { ...request, edit: { ...edit, images: images as InputReference[], inputs: this.#readerOf(edit) } };
  }

  /** Rejects with `invalid_image_file` for an image that cannot be converted, and with what its form then breaks. */
  async convert({ edit }: ImageRequest, family: ModelCapabilities): Promise<void> {
    if (edit === undefined) return;
    const images: InputReference[] = [];
    // One after the other: the permits for conversions are there for all requests.
    for (const image of edit.images) {
      const format = inputConversion(image, family);
      images.push(format === undefined ? image : await this.#once(image, edit, format));
    }
    // It may have been turned upright, or have become longer.
    checkInputs({ ...edit, images }, family);
  }

  #inForm(image: InputReference, family: ModelCapabilities): InputReference | undefined {
    const format = inputConversion(image, family);
    return format === undefined ? image : this.#ready.get(keyOf(image, format));
  }

  #once(image: InputReference, edit: EditInputs, format: ConvertedFormat): Promise<InputReference> {
    const key = keyOf(image, format);
    const converted = this.#converted.get(key) ?? this.#convert(image, edit, format);
    this.#converted.set(key, converted);
    return converted;
  }

  async #convert(image: InputReference, { inputs }: EditInputs, format: ConvertedFormat): Promise<InputReference> {
    const { converter, openInputs } = this.#converting as Converting;
    this.#signal.throwIfAborted();
    const into = openInputs(this.#consumer);
    this.#signal.addEventListener('abort', () => void into.release(), { once: true });
    const order = { format, compression: photoQuality, kind: 'input', image, from: inputs, into } as const;
    const converted = await converter.convert({ ...order, signal: this.#signal }).catch((error) => {
      throw error instanceof UnusableImageError ? unusable(error.message, error) : error;
    });
    if (converted.size > maxInputBytes) throw unusable(`becomes longer than ${maxInputBytes} bytes as ${format}`);
    this.#stores.set(converted.sha256, into);
    this.#ready.set(keyOf(image, format), converted);
    return converted;
  }

  #readerOf({ inputs }: EditInputs): EditInputs['inputs'] {
    return {
      open: (input) => (this.#stores.get(input.sha256) ?? inputs).open(input),
      release: () => inputs.release(),
    };
  }
}

/** Of a JPEG that a model looks at: no difference can be seen. */
const photoQuality = 95;

function keyOf({ sha256 }: InputReference, format: ConvertedFormat): string {
  return `${sha256} ${format}`;
}

function unusable(reason: string, cause?: unknown): GatewayError {
  const message = `'image' has a type that the model does not take, and cannot be converted: it ${reason}.`;
  return new GatewayError('invalid_image_file', message, { param: 'image', cause });
}
