import { extraCells } from './matrix.ts';
import { playCells } from './play-cells.ts';

playCells(extraCells);
