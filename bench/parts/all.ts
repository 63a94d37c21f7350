import type { Part } from '../part.ts';
import { conversions } from './conversions.ts';
import { cpu } from './cpu.ts';
import { edits } from './edits.ts';
import { formats } from './formats.ts';
import { jobs } from './jobs.ts';
import { latency } from './latency.ts';
import { load } from './load.ts';
import { polling } from './polling.ts';
import { replicas } from './replicas.ts';
import { responses } from './responses.ts';
import { start } from './start.ts';
import { stream } from './stream.ts';

/** In the order in which they run. */
export const parts: readonly Part[] = [
  cpu,
  jobs,
  latency,
  load,
  conversions,
  formats,
  edits,
  stream,
  responses,
  replicas,
  polling,
  start,
];
