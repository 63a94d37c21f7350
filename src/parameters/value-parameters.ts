import { convertedFormats } from '../domain/image-conversion.ts';
import { type ImageRequest, wireNames } from '../domain/image-request.ts';
import type { ModelCapabilities, Values } from '../domain/model-capabilities.ts';
import { type AdaptationName, adaptations } from './adaptations.ts';
import { isAbsent, takes, unsupportedValue } from './parameter-rules.ts';

/** The parameters whose values a family lists. */
export const valueParameters = [
  { member: 'size', capability: 'sizes' },
  { member: 'quality', capability: 'qualities' },
  { member: 'background', capability: 'backgrounds' },
  { member: 'outputFormat', capability: 'outputFormats' },
  { member: 'moderation', capability: 'moderations' },
  { member: 'style', capability: 'styles' },
  { member: 'inputFidelity', capability: 'inputFidelities' },
] as const satisfies readonly { member: keyof ImageRequest; capability: keyof ModelCapabilities }[];

/** The request as it will be sent, while its parameters are adapted one by one. */
export type Draft = {
  readonly sent: { -readonly [Member in keyof ImageRequest]: ImageRequest[Member] };
  readonly adaptations: AdaptationName[];
};

type ValueParameter = (typeof valueParameters)[number];

type Refused = ValueParameter & { readonly value: string };

type TakenValues = { readonly values: Values; readonly defaultValue: string | undefined };

/** The values that a request may have: also the formats that the gateway makes of others. */
export function takenValues(
  { member, capability }: ValueParameter,
  family: ModelCapabilities,
  { policy, canConvert }: { readonly policy: 'adapt' | 'strict'; readonly canConvert: boolean },
): TakenValues {
  const values = family[capability];
  const isMore = member === 'outputFormat' && policy === 'adapt' && canConvert && values !== 'any' && !isAbsent(values);
  return {
    values: isMore ? [...new Set([...values, ...convertedFormats])] : values,
    defaultValue: family.defaults[member],
  };
}

/** Sends the nearest value that the family takes, or none where the parameter may be left out. */
export function replaceValue(
  { sent, adaptations: reported }: Draft,
  { member, value }: Refused,
  { values, defaultValue }: TakenValues,
  policy: 'adapt' | 'strict',
): void {
  const parameter = wireNames[member];
  const isPossible = ({ name, from, to }: (typeof adaptations)[number]) =>
    to === undefined ? name === `${parameter}=removed` && isAbsent(values) : from === value && takes(values, to);
  const adaptation = adaptations.find((one) => one.parameter === parameter && isPossible(one));
  if (adaptation === undefined || policy === 'strict') throw unsupportedValue(parameter, value, values);
  // The family's default is not sent.
  sent[member] = adaptation.to === defaultValue ? undefined : adaptation.to;
  reported.push(adaptation.name);
}
