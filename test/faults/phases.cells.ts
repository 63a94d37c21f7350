import { modes } from './modes.ts';
import { playPhases } from './play-phases.ts';

playPhases(modes);
