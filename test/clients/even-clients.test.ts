import { checkCells } from './check-cells.ts';

checkCells(0);
