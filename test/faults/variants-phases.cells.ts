import { variants } from './modes.ts';
import { playPhases } from './play-phases.ts';

playPhases(variants);
