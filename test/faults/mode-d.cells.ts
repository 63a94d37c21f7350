import { cells } from './matrix.ts';
import { playCells } from './play-cells.ts';

playCells(cells.filter(({ mode }) => mode === 'D'));
