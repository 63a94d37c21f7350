import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startOptions } from '../../../bench/contestants/start-options.ts';
import { compileCache } from '../../helpers/compile-cache.ts';
import { postgresUrl, sharedStores } from '../../storage/sql/create-job-store.ts';
import type { Order, Phase, Report, StoreOptions } from './phases.ts';

export type ProcessOptions = {
  /** The bundled program. */
  readonly entry: string;
  /** Holds the models file and DATA_DIR, which gateways share that have the same one. */
  readonly directory: string;
  readonly models: object;
  readonly stores?: StoreOptions;
  /** The longest file that it can write, in blocks of the shell's `ulimit -f`. */
  readonly fileBlocks?: number;
  readonly env?: Readonly<Record<string, string>>;
};

export const consumerKey = 'program-key';

/** DATA_DIR of the gateways with this directory. */
export function dataDirOf(directory: string): string {
  return join(directory, 'data');
}

let started = 0;

/** Those that share a database and an object store have nothing else in common. */
function storesOf(directory: string): Readonly<Record<string, string>> {
  if (postgresUrl() === undefined) return { DATA_DIR: dataDirOf(directory) };
  started += 1;
  return { DATA_DIR: `${dataDirOf(directory)}-${started}`, ...sharedStores(directory) };
}

function withinLimit(blocks: number) {
  const script = `ulimit -f ${blocks}; exec "$0" "$@"`;
  return { execPath: '/bin/sh', execArgv: ['-c', script, process.execPath, ...startOptions] };
}

/** A running gateway. */
export class GatewayProcess implements AsyncDisposable {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown[]>;
  readonly #reached = new Map<Phase, number>();

  private constructor(url: string, child: ChildProcess, exited: Promise<unknown[]>) {
    this.url = url;
    this.#child = child;
    this.#exited = exited;
    child.on('message', (report: Report) => {
      if (typeof report === 'object' && 'reached' in report)
        this.#reached.set(report.reached, 1 + (this.#reached.get(report.reached) ?? 0));
    });
  }

  /** Resolves once it listens. Rejects with what it has printed when it ends instead. */
  static async start({
    entry,
    directory,
    models,
    stores = {},
    fileBlocks,
    ...more
  }: ProcessOptions): Promise<GatewayProcess> {
    await mkdir(directory, { recursive: true });
    const modelsFile = join(directory, 'models.json');
    await writeFile(modelsFile, JSON.stringify(models));
    const env = {
      PORT: '0',
      MODELS_FILE: modelsFile,
      ...storesOf(directory),
      GATEWAY_API_KEYS: consumerKey,
      LOG_LEVEL: 'warn',
      ...compileCache,
      ...more.env,
    };
    const child = fork(entry, [JSON.stringify(stores)], {
      cwd: directory,
      env,
      ...(fileBlocks === undefined ? { execArgv: [...startOptions] } : withinLimit(fileBlocks)),
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const exited = once(child, 'close');
    const url = await Promise.race([
      once(child, 'message').then(([report]) => (report as { url: string }).url),
      exited.then(() => Promise.reject(new Error(output))),
    ]);
    return new GatewayProcess(url, child, exited);
  }

  /** From now on, whatever comes to the phase stops there. */
  async stopAt(phase: Phase | undefined): Promise<void> {
    await this.#order({ stopAt: phase });
  }

  async goOn(): Promise<void> {
    await this.#order('go on');
  }

  async #order(order: Order): Promise<void> {
    const obeyed = new Promise<void>((done) => {
      const listen = (report: Report) => {
        if (report !== 'obeyed') return;
        this.#child.off('message', listen);
        done();
      };
      this.#child.on('message', listen);
    });
    this.#child.send(order);
    await obeyed;
  }

  /** Resolves once so many have come to the phase. Rejects when it ends before. */
  async reached(phase: Phase, count = 1): Promise<void> {
    const ended = this.#exited.then(() => Promise.reject(new Error(`the gateway has ended before '${phase}'`)));
    ended.catch(() => {});
    while ((this.#reached.get(phase) ?? 0) < count) await Promise.race([once(this.#child, 'message'), ended]);
  }

  signal(name: 'SIGSTOP' | 'SIGCONT' | 'SIGTERM' | 'SIGINT'): void {
    this.#child.kill(name);
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** The exit code, or the signal that has ended it. */
  async exit(): Promise<unknown> {
    const [code, signal] = await this.#exited;
    return code ?? signal;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}
