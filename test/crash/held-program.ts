import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { type Program, startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';
import { type HeldAzure, type Mode, type Phase, startHeldAzure } from './held-azure.ts';
import { type HeldRequest, sendRequest } from './held-request.ts';

export const patience = { timeout: 120_000, interval: 20 };

/** A gateway process with a request that is held at a phase. */
export type HeldProgram = {
  readonly program: Program;
  readonly azure: HeldAzure;
  /** The request, and before it the one that has the permit, where it waits for one. */
  readonly requests: readonly HeldRequest[];
  readonly dataDir: string;
  readonly models: object;
};

export async function holdProgram(mode: Mode, phase: Phase, limits: object = {}): Promise<HeldProgram> {
  const dataDir = await mkdtemp(join(tmpdir(), 'crash-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
  const azure = await startHeldAzure(mode, phase);
  const calls = mode === 'F two calls' ? 2 : 1;
  const keys = phase === 'target queue' ? { maxConcurrent: calls } : {};
  const admission = phase === 'permit' ? { inFlight: 1 } : {};
  const models = { ...modelsFile(azure.origin, 60_000, keys), limits: { lingerMs: 0, ...admission, ...limits } };
  const program = await startProgram({ models, env: { DATA_DIR: dataDir } });
  const url = await program.listening();
  const requests: HeldRequest[] = [];
  if (phase === 'permit' || phase === 'target queue') {
    requests.push(sendRequest(url, mode, { isWhole: true }));
    await expect.poll(() => azure.held, patience).toBe(calls);
  }
  requests.push(sendRequest(url, mode, { isWhole: phase !== 'upload' }));
  if (requests.length > 1 || phase === 'upload') await atTheGateway(url, requests.length);
  else await expect.poll(() => azure.held, patience).toBe(calls);
  if (phase === 'responding') await expect.poll(() => requests[0]?.text(), patience).toContain('b64_json');
  return { program, azure, requests, dataDir, models };
}

/** The gateway counts its requests, this one among them. */
async function atTheGateway(url: string, requests: number): Promise<void> {
  const inFlight = async () => {
    const response = await fetch(`${url}/metrics`, { headers: { 'api-key': 'program-key' } });
    return Number(/^gateway_requests_in_flight (\d+)$/m.exec(await response.text())?.[1]);
  };
  await expect.poll(inFlight, patience).toBe(requests + 1);
}

/** What is left on the disk of requests that were under way. */
export async function leftovers(dataDir: string): Promise<string[]> {
  const names = await Promise.all(['uploads', 'arriving'].map((name) => readdir(join(dataDir, name))));
  return [...names.flat(), ...(await keptImages(dataDir))];
}

export function keptImages(dataDir: string): Promise<string[]> {
  return readdir(join(dataDir, 'images'));
}
