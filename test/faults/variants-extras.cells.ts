import { variantExtraCells } from './matrix.ts';
import { playCells } from './play-cells.ts';

playCells(variantExtraCells);
