/**
 * What happens to a parameter that a target's family does not do.
 * - `adapt`: what the gateway can satisfy itself is satisfied and reported; what nobody can is refused.
 * - `strict`: it is refused.
 * - `pass`: it is forwarded, and the upstream decides.
 */
export const parameterPolicies = ['adapt', 'strict', 'pass'] as const;

export type ParameterPolicy = (typeof parameterPolicies)[number];
