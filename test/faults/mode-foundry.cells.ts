import { variantCells } from './matrix.ts';
import { foundryModes } from './modes.ts';
import { playCells } from './play-cells.ts';

playCells(variantCells.filter(({ mode }) => foundryModes.some((one) => one === mode)));
