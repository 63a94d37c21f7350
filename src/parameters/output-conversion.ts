import { GatewayError } from '../domain/gateway-error.ts';
import { type Conversion, type ConvertedFormat, convertedFormats, maxWebpEdge } from '../domain/image-conversion.ts';
import { maxPixels } from '../domain/image-input.ts';
import { edgesOf, type ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import type { AdaptationName } from './adaptations.ts';
import { takes } from './parameter-rules.ts';

/** How the images of a request get a format that its family does not make like this. */
export type OutputConversion = {
  /** The format that the upstream is asked for. */
  readonly from: 'png' | 'jpeg';
  readonly to: Conversion;
  readonly name: AdaptationName;
  /** The wire names of parameters that only the conversion makes possible together: a default among them yields. */
  readonly names: readonly string[];
};

/** What is asked for where a format is missing; PNG is lossless. */
const sources = ['png', 'jpeg'] as const;

/** OpenAI's default of `output_compression`. */
const fullQuality = 100;

/** `undefined`: nothing has to be converted, or the family makes nothing that could be. */
export function outputConversion(request: ImageRequest, family: ModelCapabilities): OutputConversion | undefined {
  const { outputFormat, outputCompression, background } = request;
  const format = convertedFormats.find((one) => one === outputFormat);
  if (format === undefined) return undefined;
  const isFlattened = format === 'jpeg' && background === 'transparent';
  const hasLevel = outputCompression !== undefined && outputCompression !== family.defaults.outputCompression;
  const isLevelMissing = hasLevel && !takes(family.compressionFormats, format);
  const isMade = takes(family.outputFormats, format);
  if (isMade && !isFlattened && !isLevelMissing) return undefined;
  // PNG has no level that a conversion could give it.
  if (format === 'png' && hasLevel && outputCompression !== fullQuality) return undefined;
  // A JPEG has lost its transparency, and converted to itself also a part of its quality.
  const from = sources.find(
    (source) => source !== format && takes(family.outputFormats, source) && !(isFlattened && source === 'jpeg'),
  );
  if (from === undefined) return undefined;
  const names = isFlattened ? ['background', 'output_format'] : isLevelMissing && isMade ? levelNames : [];
  // The formats differ, so the name is one of the list.
  const name = `output_format=${from}>${format}` as AdaptationName;
  return { from, to: { format, compression: outputCompression ?? fullQuality }, name, names };
}

const levelNames = ['output_compression', 'output_format'];

/** Whether images of a size have more pixels than are converted, or a longer edge than the format can have. */
export function isTooLarge(size: string | undefined, format: ConvertedFormat): boolean {
  const edges = size === undefined ? undefined : edgesOf(size);
  if (edges === undefined) return false;
  const { width, height } = edges;
  return width * height > maxPixels || (format === 'webp' && Math.max(width, height) > maxWebpEdge);
}

export function tooLargeToConvert(size: string | undefined, format: ConvertedFormat): GatewayError {
  const message = `'output_format' cannot be '${format}' for images of ${size}: the model does not make it, and they are too large to be converted.`;
  return new GatewayError('invalid_value', message, { param: 'output_format' });
}

/** The images could be converted, if a package was installed that does it. */
export function conversionUnavailable(format: string): GatewayError {
  const message = `'output_format' cannot be '${format}' like this: the model does not make it. The gateway could convert its images if its operator installed the optional package sharp.`;
  return new GatewayError('invalid_value', message, { param: 'output_format' });
}
