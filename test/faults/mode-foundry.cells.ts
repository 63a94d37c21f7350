import { variantCells } from './matrix.ts';
import { isFoundry } from './modes.ts';
import { playCells } from './play-cells.ts';

playCells(variantCells.filter(({ mode }) => isFoundry(mode)));
