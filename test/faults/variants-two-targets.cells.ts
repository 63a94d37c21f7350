import { variants } from './modes.ts';
import { playFirstFails, playRepeated } from './play-two-targets.ts';
import { faults } from './table/all.ts';
import { expected } from './table/expected.ts';
import { agentExtras } from './table/extras-agent.ts';
import { agentCodeExtras } from './table/extras-agent-codes.ts';

playFirstFails(variants, faults);
playRepeated(['agent', 'agent-background'], faults);
playFirstFails(['agent'], [...agentExtras, ...agentCodeExtras]);
// Words never go to another target, however they come.
playFirstFails(
  ['agent-stream', 'agent-background'],
  agentExtras.filter(({ reported }) => reported === expected.noImage),
);
