import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as wait } from 'node:timers/promises';
import { postgresUrl } from '../../storage/sql/create-job-store.ts';
import { dataDirOf, type GatewayProcess } from './gateway-process.ts';
import { codeOf, type Reply } from './keyed-client.ts';
import { hasHandle, heldAfterHeaders, heldInBody } from './modes.ts';
import type { Phase } from './phases.ts';
import { type Stage, send } from './stage.ts';

/** Where a gateway is stopped for longer than its lease, in the order in which a request passes them. */
export const freezePoints = [
  'before the dispatch',
  'dispatched',
  'under way',
  'within the body',
  'before the end',
] as const;

export type FreezePoint = (typeof freezePoints)[number];

export const freezeModes = ['deployment', 'legacy'] as const;

export type FreezeMode = (typeof freezeModes)[number];

/** What the same key has got from another gateway meanwhile, what it gets in the end, and what is billed. */
export type FreezeResult = {
  readonly meanwhile: number | string | undefined;
  readonly atLast: number | string | undefined;
  readonly billed: number;
};

/** What nobody can know as long as the gateway that has called does not go on. */
export function isUnknownTo(mode: FreezeMode, point: FreezePoint): boolean {
  if (point === 'dispatched') return true;
  return mode === 'deployment' && (point === 'under way' || point === 'within the body');
}

const lease = { validMs: 1_000, renewEveryMs: 250 };

/** Two gateways on one DATA_DIR: the first is stopped, the second takes its jobs over, and the first goes on. */
export async function freezeAt(point: FreezePoint, mode: FreezeMode, stage: Stage): Promise<FreezeResult> {
  const { relay } = stage;
  const frozen = await stage.startGateway({ lease });
  const phase = phaseOf(point, mode);
  if (phase) await frozen.stopAt(phase);
  else relay.hold({ ...(point === 'under way' ? heldAfterHeaders(mode) : heldInBody(mode)), atMost: 1 });
  const first = send(frozen, mode, 'a cat', 'key');
  await (phase ? frozen.reached(phase) : relay.holds(1));
  await freeze(frozen, stage);
  const other = await stage.startGateway({ lease });
  const meanwhile = await definite(() => send(other, mode, 'a cat', 'key').reply);
  frozen.signal('SIGCONT');
  await frozen.goOn();
  relay.release();
  await first.reply;
  // Late evidence comes a moment later than the response.
  let last = await send(other, mode, 'a cat', 'key').reply;
  while (last.status !== 200) {
    await wait(100);
    last = await send(other, mode, 'a cat', 'key').reply;
  }
  return {
    meanwhile: codeOf(meanwhile) ?? meanwhile.status,
    atLast: codeOf(last) ?? last.status,
    billed: stage.billed('a cat'),
  };
}

/** Stops it where it holds no lock of SQLite's file: there it would stop everybody. */
async function freeze(gateway: GatewayProcess, { program }: Stage): Promise<void> {
  for (;;) {
    gateway.signal('SIGSTOP');
    await wait(50);
    if (postgresUrl() !== undefined || isUnlocked(join(dataDirOf(program.directory), 'jobs.sqlite'))) return;
    gateway.signal('SIGCONT');
    await wait(50);
  }
}

function isUnlocked(file: string): boolean {
  const database = new DatabaseSync(file, { timeout: 0 });
  try {
    database.exec('begin immediate; rollback');
    return true;
  } catch {
    return false;
  } finally {
    database.close();
  }
}

function phaseOf(point: FreezePoint, mode: FreezeMode): Phase | undefined {
  if (point === 'before the dispatch') return 'dispatching';
  if (point === 'dispatched') return 'dispatched';
  if (point === 'before the end') return 'renamed';
  return point === 'under way' && hasHandle(mode) ? 'handle noted' : undefined;
}

/** Clients repeat what was not processed, or is still running. */
async function definite(request: () => Promise<Reply>): Promise<Reply> {
  for (;;) {
    const reply = await request();
    if (reply.status !== 503 && reply.status !== 409) return reply;
    await wait(100);
  }
}
