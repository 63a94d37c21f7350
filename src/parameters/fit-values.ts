import { type ImageRequest, wireNames } from '../domain/image-request.ts';
import type { ModelCapabilities, Values } from '../domain/model-capabilities.ts';
import { type AdaptationName, adaptations } from './adaptations.ts';
import { isAbsent, takes } from './allowed-values.ts';
import type { Fit, FitRule } from './fit.ts';
import { unsupportedValue } from './refusals.ts';

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

type Sent = { readonly value: string | undefined; readonly adaptation?: AdaptationName };

/** One rule for each of them. */
export const fitValues: readonly FitRule[] = valueParameters.map(
  ({ member, capability }) =>
    (request, capabilities, policy) => {
      const asked = request[member];
      if (asked === undefined) return { members: {}, adaptations: [] };
      const values = capabilities[capability];
      const sent: Sent | undefined = takes(values, asked)
        ? { value: asked }
        : adapted(wireNames[member], asked, values);
      if (sent === undefined || (policy === 'strict' && sent.adaptation !== undefined)) {
        throw unsupportedValue(wireNames[member], asked, values);
      }
      return toFit(member, sent, capabilities);
    },
);

function adapted(parameter: string, asked: string, values: Values): Sent | undefined {
  const candidates = adaptations.filter((adaptation) => adaptation.parameter === parameter);
  const replacement = candidates.find(({ from, to }) => from === asked && to !== undefined && takes(values, to));
  if (replacement !== undefined) return { value: replacement.to, adaptation: replacement.name };
  const removal = candidates.find(({ name }) => name === `${parameter}=removed`);
  return removal !== undefined && isAbsent(values) ? { value: undefined, adaptation: removal.name } : undefined;
}

/** A replacement that the upstream uses by itself is left out. */
function toFit(member: (typeof valueParameters)[number]['member'], sent: Sent, { defaults }: ModelCapabilities): Fit {
  const value = sent.value === (defaults as Partial<ImageRequest>)[member] ? undefined : sent.value;
  return { members: { [member]: value }, adaptations: sent.adaptation === undefined ? [] : [sent.adaptation] };
}
