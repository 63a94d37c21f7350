import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Simulator } from '../../../simulator/start-simulator.ts';
import { Dice } from '../../fuzz/dice.ts';
import { HoldingRelay } from './holding-relay.ts';
import { type JobResult, KillChain } from './kill-chain.ts';
import { killPoints } from './kill-points.ts';
import { type Mode, modelsOf, modes } from './modes.ts';
import type { StoreOptions } from './phases.ts';

export type Played = { readonly results: readonly JobResult[]; readonly kills: number };

export type ChainOptions = {
  readonly entry: string;
  readonly simulator: Simulator;
  readonly seed: number;
  /** So many gateways run at a time; 1 by default. */
  readonly gateways?: number;
  readonly stores?: StoreOptions;
};

/** Kills a gateway at each of the points, in one mode. */
export async function playMode(mode: Mode, options: ChainOptions): Promise<Played> {
  return await play(options, async (chain) => {
    const results: JobResult[] = [];
    for (const point of killPoints) results.push(...(await chain.killAt(mode, point)));
    return results;
  });
}

/** Kills a gateway at random times, with a job of each mode under way. */
export async function playRandomTimes(kills: number, options: ChainOptions): Promise<Played> {
  return await play(options, async (chain) => {
    const results: JobResult[] = [];
    for (let kill = 0; kill < kills; kill += 1) results.push(...(await chain.killAnyTime(modes)));
    return results;
  });
}

async function play(
  { entry, simulator, seed, gateways, stores = {} }: ChainOptions,
  kill: (chain: KillChain) => Promise<readonly JobResult[]>,
): Promise<Played> {
  const directory = await mkdtemp(join(tmpdir(), 'crash-'));
  try {
    await using relay = await HoldingRelay.start(simulator.origin);
    const program = { entry, directory, models: modelsOf(relay.origin), stores };
    const dice = new Dice(seed, 0);
    const parts = { program, relay, ledger: simulator.ledger, random: () => dice.next(), gateways };
    await using chain = await KillChain.start(parts);
    const results = await kill(chain);
    return { results, kills: chain.kills };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
