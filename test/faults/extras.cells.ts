import { cellsOf } from './matrix.ts';
import { playCells } from './play-cells.ts';
import { extras } from './table/all.ts';

playCells(cellsOf(extras));
