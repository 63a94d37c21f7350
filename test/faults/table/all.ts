import { bodyFaults } from './bodies.ts';
import { connectionFaults, silentFaults } from './connections.ts';
import { agentExtras } from './extras-agent.ts';
import { agentCodeExtras } from './extras-agent-codes.ts';
import { agentJobExtras } from './extras-agent-job.ts';
import { agentStreamExtras } from './extras-agent-stream.ts';
import { asyncExtras } from './extras-async.ts';
import { foundryExtras } from './extras-foundry.ts';
import { legExtras } from './extras-legs.ts';
import { otherExtras } from './extras-other.ts';
import { streamExtras } from './extras-stream.ts';
import type { Fault } from './fault.ts';
import { limitFaults } from './limits.ts';
import { refusals } from './refusals.ts';
import { oddSuccesses, uselessResponses } from './responses.ts';
import { statusFaults } from './statuses.ts';
import { tokenExtras, tokenFaults } from './tokens.ts';
import { uselessFaults } from './useless-targets.ts';

/** The 36 faults of the matrix; some have several forms. */
export const faults: readonly Fault[] = [
  ...connectionFaults,
  ...silentFaults,
  ...bodyFaults,
  ...statusFaults,
  ...limitFaults,
  ...uselessFaults,
  ...tokenFaults,
  ...refusals,
  ...uselessResponses,
  ...oddSuccesses,
];

/** What only the variants can meet. */
export const variantExtras: readonly Fault[] = [
  ...agentExtras,
  ...agentCodeExtras,
  ...agentJobExtras,
  ...agentStreamExtras,
  ...foundryExtras,
];

/** What only some modes can meet. */
export const extras: readonly Fault[] = [
  ...asyncExtras,
  ...streamExtras,
  ...legExtras,
  ...otherExtras,
  ...tokenExtras,
  ...variantExtras,
];
