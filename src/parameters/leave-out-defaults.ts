import type { ImageRequest } from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import { takes } from './allowed-values.ts';
import { valueParameters } from './fit-values.ts';

/**
 * The request without what the family does anyway. Many clients always send such values: they ask for nothing, so they
 * conflict with nothing, and a deployment might refuse them.
 */
export function leaveOutDefaults(request: ImageRequest, capabilities: ModelCapabilities): ImageRequest {
  const members = [...Object.keys(capabilities.defaults), ...valueParameters.map(({ member }) => member)];
  const leftOut = members.filter((member) => isDefault(member as keyof ImageRequest, request, capabilities));
  const asked = { ...request, ...Object.fromEntries(leftOut.map((member) => [member, undefined])) };
  return isLossless(request, capabilities) ? { ...asked, outputCompression: undefined } : asked;
}

function isDefault(member: keyof ImageRequest, request: ImageRequest, capabilities: ModelCapabilities): boolean {
  const value = request[member];
  // A stream carries base64, so a link is not what comes anyway.
  if (member === 'delivery' && request.stream && value === 'url') return false;
  const parameter = valueParameters.find((parameter) => parameter.member === member);
  // To leave the choice to the model is what leaving the parameter out does.
  if (value === 'auto' && parameter !== undefined && !takes(capabilities[parameter.capability], value)) return true;
  return value === (capabilities.defaults as Partial<ImageRequest>)[member];
}

/** A PNG has all of its quality whatever the model, and says so at 100. */
function isLossless({ outputCompression, outputFormat }: ImageRequest, { defaults }: ModelCapabilities): boolean {
  return outputCompression === 100 && (outputFormat ?? defaults.outputFormat) === 'png';
}
