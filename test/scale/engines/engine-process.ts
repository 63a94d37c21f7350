import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

/** A program that serves on loopback until it is closed. */
export type EngineProcess = {
  /** The part of its output that was waited for. */
  readonly ready: string;
  close(): Promise<void>;
};

/** Starts a program of Node, and waits for the line of its output that matches. Rejects when it ends before that. */
export async function startEngine(args: readonly string[], ready: RegExp): Promise<EngineProcess> {
  const child = spawn(process.execPath, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env.PATH },
  });
  const end = () => void child.kill('SIGKILL');
  // A test run that is ended early must not leave it behind.
  process.once('exit', end);
  try {
    return { ready: await lineOf(child, ready), close };
  } catch (error) {
    await close();
    throw error;
  }

  async function close(): Promise<void> {
    process.off('exit', end);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    end();
    await exited;
  }
}

async function lineOf(child: ChildProcess, ready: RegExp): Promise<string> {
  const lines = createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> });
  for await (const line of lines) {
    const [, found] = ready.exec(line) ?? [];
    if (found === undefined) continue;
    child.stdout?.resume();
    return found;
  }
  throw new Error(`${child.spawnargs.join(' ')} has ended`);
}
