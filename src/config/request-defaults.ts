import { type OptionalMember, type RequestDefaults, wireNames } from '../domain/image-request.ts';
import type { ModelDefaults } from './models-config.ts';

/** The defaults of a model as a request has them: the configuration speaks the wire's names. */
export function requestDefaults(defaults: ModelDefaults): RequestDefaults {
  const members = Object.entries(wireNames) as [OptionalMember, string][];
  const byWireName = defaults as Readonly<Record<string, unknown>>;
  return Object.fromEntries(
    members.filter(([, name]) => byWireName[name] !== undefined).map(([member, name]) => [member, byWireName[name]]),
  );
}
