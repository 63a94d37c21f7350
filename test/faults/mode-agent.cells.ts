import { variantCells } from './matrix.ts';
import { playCells } from './play-cells.ts';

playCells(variantCells.filter(({ mode }) => mode === 'agent'));
