import { checkCells } from '../check-cells.ts';
import { responsesMatrix } from './responses-matrix.ts';
import { responsesSuites } from './responses-suites.ts';

checkCells(responsesMatrix, responsesSuites, 0);
