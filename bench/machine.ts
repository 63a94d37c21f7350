import { spawnSync } from 'node:child_process';
import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os';
import { describeCores } from './cores.ts';

/** What the figures depend on. */
export function describeMachine() {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    processors: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    system: `${platform()} ${release()} ${arch()}`,
    node: process.version,
    nginx: versionOf('nginx', '-v'),
    wrk: versionOf('wrk', '-v'),
    loadBefore: loadavg()[0],
    pinning: describeCores(),
  };
}

function versionOf(program: string, option: string): string {
  const { error, stdout, stderr } = spawnSync(program, [option], { encoding: 'utf8' });
  if (error) return 'not present';
  return /\d[\d.]+\d/.exec(stdout + stderr)?.[0] ?? 'unknown';
}
