import { GatewayError } from '../domain/gateway-error.ts';
import type { Conversion } from '../domain/image-conversion.ts';
import {
  type Delivery,
  type ImageRequest,
  type OptionalMember,
  type RequestDefaults,
  wireNames,
} from '../domain/image-request.ts';
import type { ModelCapabilities } from '../domain/model-capabilities.ts';
import type { ParameterPolicy } from '../domain/parameter-policy.ts';
import type { AdaptationName } from './adaptations.ts';
import { adaptToAgent } from './agent-wishes.ts';
import { checkFamilyTakes, checkInputs } from './edit-inputs.ts';
import { adaptInputTypes } from './input-conversion.ts';
import {
  conversionUnavailable,
  isTooLarge,
  type OutputConversion,
  outputConversion,
  tooLargeToConvert,
} from './output-conversion.ts';
import { checkOwnParameters, inCallersEdges, withEdgesAsSize } from './own-parameters.ts';
import {
  conflictError,
  conflictsIn,
  hasFreeRatio,
  isAbsent,
  takes,
  unsupportedParameter,
  unsupportedValue,
} from './parameter-rules.ts';
import { type Legs, splitCount } from './split-count.ts';
import { type Draft, replaceValue, takenValues, valueParameters } from './value-parameters.ts';

export type AdaptedRequest = {
  /**
   * What each upstream call is asked for, in the order of the images. A leg's `delivery` is what the upstream is
   * told, its `stream` whether the upstream is to stream; what the caller wants stands in the request.
   */
  readonly legs: Legs;
  /** What the gateway does itself to satisfy the caller, as `x-gateway-adapted` reports it. */
  readonly adaptations: readonly AdaptationName[];
  /** What the gateway makes of the images that come. Those of an edit are converted to what the family takes. */
  readonly conversion: Conversion | undefined;
  /** How the caller gets its images: what it has asked for, else the operator's default. */
  readonly delivery: Delivery | undefined;
};

/** What a request is adapted to: a target's family, under the policy and with the defaults of its model. */
export type AdaptTo = {
  readonly family: ModelCapabilities;
  readonly policy: ParameterPolicy;
  readonly defaults?: RequestDefaults;
  /** Whether the gateway can convert images. Default: it can. */
  readonly canConvert?: boolean;
};

/**
 * Adapts a request, or a part of one, to what the target's family takes, before anything is sent. Nothing is dropped or
 * clamped silently: throws a GatewayError that names the parameter where it cannot be adapted. The operator's defaults fill
 * in what the caller left open; a default that conflicts with what the caller said, or that the family does not take,
 * yields, so that no error is about it.
 */
export function adaptRequest(
  sent: ImageRequest,
  { family: ofModel, policy, defaults = {}, canConvert = true }: AdaptTo,
): AdaptedRequest {
  const family = sent.edit ? ofEdits(ofModel) : ofModel;
  const applied = family.isTranslated && policy === 'pass' ? 'adapt' : policy;
  if (sent.edit) checkInputs(sent.edit, family);
  const request = withEdgesAsSize(sent, family);
  const open = Object.entries(defaults).filter(([member]) => request[member as OptionalMember] === undefined);
  const filledIn = new Map(open.map((entry) => [wireNames[entry[0] as OptionalMember] as string, entry]));
  for (;;) {
    const whole = { ...request, ...Object.fromEntries(filledIn.values()) };
    const conversion = applied === 'adapt' ? outputConversion(whole, family) : undefined;
    const { result, atFault } = tryToAdapt(whole, family, applied, { conversion, canConvert });
    const yielding = atFault.find((name) => filledIn.has(name));
    if (yielding !== undefined) filledIn.delete(yielding);
    else if (result instanceof GatewayError) throw inCallersEdges(result, sent);
    else return result;
  }
}

/** What a family does with edits, where these take other sizes. */
function ofEdits(family: ModelCapabilities): ModelCapabilities {
  const { editSizes, defaults } = family;
  return editSizes === undefined ? family : { ...family, sizes: editSizes, defaults: { ...defaults, size: undefined } };
}

/** `atFault`: the wire names of what is refused here, or would be upstream; the first default among them yields. */
type Result = { readonly result: AdaptedRequest | GatewayError; readonly atFault: readonly string[] };

type Converting = { readonly conversion: OutputConversion | undefined; readonly canConvert: boolean };

function tryToAdapt(
  whole: ImageRequest,
  family: ModelCapabilities,
  policy: ParameterPolicy,
  { conversion, canConvert }: Converting,
): Result {
  const isPassed = policy === 'pass';
  const request = conversion ? askedOf(whole, conversion) : whole;
  const asked = isPassed ? request : withoutDefaults(request, family);
  if (conversion && isTooLarge(whole.size, conversion.to.format)) {
    return { result: tooLargeToConvert(whole.size, conversion.to.format), atFault: ['output_format', 'size'] };
  }
  if (conversion && !canConvert) {
    return { result: conversionUnavailable(conversion.to.format), atFault: [...conversion.names, 'output_format'] };
  }
  // Under `pass` the upstream decides about the caller's conflicts, but a default must not cause one.
  const conflicts = conflictsIn(asked, family, isPassed ? 'adapt' : policy);
  const atFault = conflicts.flatMap(({ names }) => names);
  const refused = conflicts.find(({ policies }) => policies.includes(policy));
  if (refused !== undefined) return { result: conflictError(refused), atFault };
  const { delivery } = request;
  if (isPassed) return { result: { legs: [request], adaptations: [], conversion: undefined, delivery }, atFault };
  try {
    const converting = { conversion, canConvert };
    const adapted = adaptMembers(conversion ? { ...asked, delivery } : asked, family, policy, converting);
    return { result: { ...adapted, conversion: conversion?.to, delivery }, atFault: conversion?.names ?? [] };
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error;
    return { result: error, atFault: [error.param ?? ''] };
  }
}

/** What an upstream is asked for so that its images can be converted. */
function askedOf(request: ImageRequest, { from }: OutputConversion): ImageRequest {
  return { ...request, outputFormat: from, outputCompression: undefined };
}

/**
 * The request without values that are the family's default. Many clients always send them: they change nothing, so they
 * conflict with nothing, and some deployments refuse them.
 */
function withoutDefaults(request: ImageRequest, family: ModelCapabilities): ImageRequest {
  const { defaults } = family;
  const asked: Draft['sent'] = { ...request };
  for (const { member, capability } of valueParameters) {
    const value = request[member];
    // A family without the value `auto` decides by itself when the parameter is left out.
    const isLeftOpen = value === 'auto' && !takes(family[capability], value);
    const isDefault = value === defaults[member] && !(member === 'size' && hasFreeRatio(request));
    if (isDefault || isLeftOpen) asked[member] = undefined;
  }
  const { delivery, stream, outputCompression, outputFormat = defaults.outputFormat } = request;
  // A stream carries base64, so a link in it is a conflict even where links are the default.
  if (delivery === defaults.delivery && !(stream && delivery === 'url')) asked.delivery = undefined;
  // PNG is lossless: every model sends it at 100.
  const isLossless = outputCompression === 100 && outputFormat === 'png';
  if (outputCompression === defaults.outputCompression || isLossless) asked.outputCompression = undefined;
  return asked;
}

/** Checks the parameters one by one; the first problem in this order is the one that is reported. */
function adaptMembers(
  asked: ImageRequest,
  family: ModelCapabilities,
  policy: 'adapt' | 'strict',
  { conversion, canConvert }: Converting,
): Pick<AdaptedRequest, 'legs' | 'adaptations'> {
  const draft: Draft = { sent: { ...asked }, adaptations: conversion ? [conversion.name] : [] };
  const { prompt, edit, outputCompression, stream, delivery } = asked;
  if (prompt.length > family.promptCharacters) throw promptTooLong(prompt.length, family.promptCharacters);
  if (edit) {
    checkFamilyTakes(edit, family);
    draft.adaptations.push(...adaptInputTypes(edit.images, family, { policy, canConvert }));
  }
  for (const parameter of valueParameters) {
    const value = asked[parameter.member];
    if (value !== undefined && !takes(family[parameter.capability], value)) {
      replaceValue(draft, { ...parameter, value }, takenValues(parameter, family, { policy, canConvert }), policy);
    }
  }
  if (outputCompression !== undefined && isAbsent(family.compressionFormats)) {
    throw compressionRefused(asked, { policy, canConvert });
  }
  adaptExtra(draft, family, policy);
  if (stream) adaptStream(draft, family, policy);
  if (stream || conversion || delivery !== undefined) {
    adaptDelivery(draft, { ...asked, isConverted: conversion !== undefined }, family, policy);
  }
  const wishes = family.agentDecides ? adaptToAgent(draft.sent, policy) : { request: draft.sent, adaptations: [] };
  const legs = splitCount(wishes.request, family, policy);
  const fanOut: readonly AdaptationName[] = legs.length > 1 ? ['n=fan-out'] : [];
  const counted: readonly AdaptationName[] = legs.some(({ extra }) => extra.seed !== legs[0].extra.seed)
    ? ['seed=counted']
    : [];
  return { legs, adaptations: [...draft.adaptations, ...wishes.adaptations, ...fanOut, ...counted] };
}

/** Converted images have a level, which needs a format that has one. */
function compressionRefused(
  { outputFormat }: ImageRequest,
  { policy, canConvert }: { readonly policy: 'adapt' | 'strict'; readonly canConvert: boolean },
): GatewayError {
  const param = 'output_compression';
  if (policy === 'strict' || !canConvert || outputFormat !== undefined) return unsupportedParameter(param);
  return new GatewayError('invalid_value', `'${param}' needs an 'output_format' that has it: jpeg or webp.`, { param });
}

function promptTooLong(length: number, max: number): GatewayError {
  const message = `'prompt' is too long: this model takes at most ${max} characters, and this one has ${length}.`;
  return new GatewayError('invalid_value', message, { param: 'prompt' });
}

/** What names the end user, `seed`, and parameters that OpenAI's API does not have. */
function adaptExtra(
  { sent, adaptations: reported }: Draft,
  family: ModelCapabilities,
  policy: 'adapt' | 'strict',
): void {
  const asked: Readonly<Record<string, unknown>> = { ...sent.extra, user: sent.user };
  const isMissing = {
    user: !family.endUsers,
    safety_identifier: !family.endUsers || !family.extraParameters,
    seed: family.seed === 'refused' || (family.seed === 'undocumented' && policy === 'strict'),
  };
  const removed = removable.filter((name) => asked[name] !== undefined && isMissing[name]);
  const [first] = removed;
  if (first !== undefined && policy === 'strict') throw unsupportedParameter(first);
  reported.push(...removed.map((name) => `${name}=removed` as const));
  if (removed.includes('user')) sent.user = undefined;
  const kept = Object.entries(sent.extra).filter(([name]) => !removed.some((other) => other === name));
  sent.extra = checkOwnParameters(Object.fromEntries(kept), family);
}

/** What is left out and reported where the upstream does not take it. */
const removable = ['user', 'safety_identifier', 'seed'] as const;

/** Where the family cannot stream, the gateway makes the events itself from the complete images. */
function adaptStream(
  { sent, adaptations: reported }: Draft,
  family: ModelCapabilities,
  policy: 'adapt' | 'strict',
): void {
  const { partialImages } = sent;
  // The image tool refuses to stream without partial images, and an agent cannot be asked for some to be dropped later.
  if (family.streams && !(family.agentDecides && partialImages === 0)) return;
  if (policy === 'strict') throw unsupportedParameter('stream');
  sent.stream = false;
  sent.partialImages = 0;
  reported.push('stream=completed-only');
  if (partialImages > 0) reported.push('partial_images=removed');
}

/**
 * Sends `response_format` only where the upstream knows it; the gateway converts what comes otherwise. A stream carries
 * base64, so base64 is asked for where the gateway makes the stream and the upstream has the choice. Images that it converts
 * have no links of the upstream's.
 */
function adaptDelivery(
  { sent, adaptations: reported }: Draft,
  { stream, delivery, isConverted }: ImageRequest & { readonly isConverted: boolean },
  { responseFormats, defaults, streams }: ModelCapabilities,
  policy: 'adapt' | 'strict',
): void {
  const needed = isConverted || (stream && !streams) ? 'b64_json' : delivery;
  const canBeTold = needed !== undefined && responseFormats.includes(needed) && needed !== defaults.delivery;
  sent.delivery = canBeTold ? needed : undefined;
  const isGiven = delivery === undefined || delivery === defaults.delivery || responseFormats.includes(delivery);
  if (isGiven && !(isConverted && delivery === 'url')) return;
  if (policy === 'strict') throw unsupportedValue('response_format', delivery, responseFormats);
  reported.push(`delivery=${delivery}`);
}
