import { checkCells } from './check-cells.ts';
import { imagesMatrix } from './matrix.ts';
import { suites } from './suites.ts';

checkCells(imagesMatrix, suites, 1);
