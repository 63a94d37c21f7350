import { GatewayError } from '../domain/gateway-error.ts';
import { isAbsent } from './allowed-values.ts';
import { type FitRule, unchanged } from './fit.ts';
import { fitInputs } from './fit-inputs.ts';
import { fitValues } from './fit-values.ts';
import { unsupportedParameter, unsupportedValue } from './refusals.ts';

const fitPrompt: FitRule = ({ prompt }, { promptCharacters }) => {
  if (prompt.length <= promptCharacters) return unchanged;
  const message = `'prompt' is too long: this model takes at most ${promptCharacters} characters, and this one has ${prompt.length}.`;
  throw new GatewayError('invalid_value', message, { param: 'prompt' });
};

const fitCompression: FitRule = ({ outputCompression }, { compressionFormats }) => {
  if (outputCompression !== undefined && isAbsent(compressionFormats)) throw unsupportedParameter('output_compression');
  return unchanged;
};

/** `seed` and whatever the gateway has no name for. */
const fitExtra: FitRule = ({ extra }, { seed, extraParameters }, policy) => {
  const { seed: asked, ...others } = extra;
  const [other] = Object.keys(others);
  if (other !== undefined && !extraParameters) throw unsupportedParameter(other);
  if (asked === undefined || seed === 'supported') return unchanged;
  if (policy === 'strict') throw unsupportedParameter('seed');
  return seed === 'undocumented' ? unchanged : { members: { extra: others }, adaptations: ['seed=removed'] };
};

/** Where the family cannot stream, the gateway makes the events itself once the images are there. */
const fitStream: FitRule = ({ stream, partialImages }, { streams, agentDecides }, policy) => {
  // The image tool refuses a stream without partial images, and nobody can ask an agent for one that is dropped.
  if (!stream || (streams && !(agentDecides && partialImages === 0))) return unchanged;
  if (policy === 'strict') throw unsupportedParameter('stream');
  return {
    members: { stream: false, partialImages: 0 },
    adaptations: ['stream=completed-only', ...(partialImages > 0 ? (['partial_images=removed'] as const) : [])],
  };
};

/**
 * Tells the upstream only what it understands; the gateway converts what comes otherwise. A stream carries base64,
 * so that is asked for where the gateway makes the stream and the upstream has the choice.
 */
const fitDelivery: FitRule = ({ delivery, stream }, { responseFormats, defaults, streams }, policy) => {
  const needed = stream && !streams ? 'b64_json' : delivery;
  const canBeTold = needed !== undefined && responseFormats.includes(needed) && needed !== defaults.delivery;
  const members = { delivery: canBeTold ? needed : undefined };
  if (delivery === undefined || responseFormats.includes(delivery)) return { members, adaptations: [] };
  if (policy === 'strict') throw unsupportedValue('response_format', delivery, responseFormats);
  return { members, adaptations: [`delivery=${delivery}`] };
};

/** Everything but the number of images, in the order in which problems are named. */
export const fitRules: readonly FitRule[] = [
  fitPrompt,
  fitInputs,
  ...fitValues,
  fitCompression,
  fitExtra,
  fitStream,
  fitDelivery,
];
