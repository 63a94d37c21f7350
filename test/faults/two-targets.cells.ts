import type { Mode } from './modes.ts';
import { playFirstFails, playRepeated } from './play-two-targets.ts';
import { faults } from './table/all.ts';

const someModes: readonly Mode[] = ['A', 'C', 'D'];

playFirstFails(someModes, faults);
playRepeated(someModes, faults);
