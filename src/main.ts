import { check } from './cli/check.ts';
import { runProgram } from './cli/command-line.ts';
import { demo } from './cli/demo.ts';
import { doctor } from './cli/doctor.ts';
import { key } from './cli/key.ts';
import { smoke } from './cli/smoke.ts';
import { start } from './cli/start.ts';

await runProgram([start, check, doctor, smoke, key, demo], process.argv.slice(2));
