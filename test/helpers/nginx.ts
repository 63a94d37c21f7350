import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { onTestFinished } from 'vitest';

/** Whether this machine has nginx. */
export const hasNginx = spawnSync('nginx', ['-v']).error === undefined;

/** The recipe of docs/networks.md, word by word. */
export const nginxRecipe = /```nginx\n(.*?)```/s.exec(readFileSync('docs/networks.md', 'utf8'))?.[1] ?? '';

/** The recipe with all its times divided, because tests have no time. */
export function faster(recipe: string, divisor: number): string {
  return recipe.replace(/(\d+)s;/g, (_, seconds: string) => `${Math.round((Number(seconds) * 1000) / divisor)}ms;`);
}

/**
 * nginx with a recipe in front of a gateway: only its port, its names of files and the gateway's address are replaced. Gives
 * its origin, whose certificate is the tests' own; it ends with the test.
 */
export async function startNginx(recipe: string, gateway: string): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'nginx-'));
  await mkdir(join(directory, 'logs'));
  const port = await freePort();
  const server = recipe
    .replace('listen 443 ssl', `listen 127.0.0.1:${port} ssl`)
    .replace(/(ssl_certificate) .*;/, `$1 ${resolve('test/fixtures/tls/certificate.pem')};`)
    .replace(/(ssl_certificate_key) .*;/, `$1 ${resolve('test/fixtures/tls/key.pem')};`)
    .replace('http://127.0.0.1:8866', gateway);
  await writeFile(join(directory, 'nginx.conf'), configuration(server));
  const child = spawn('nginx', ['-p', directory, '-c', 'nginx.conf', '-e', 'logs/error.log'], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(directory, { recursive: true });
  });
  await listens(port, child);
  return `https://localhost:${port}`;
}

/** One process, so that nothing of it can stay behind. */
function configuration(server: string): string {
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name}_temp;`);
  return `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
master_process off;
pid nginx.pid;
error_log logs/error.log;
events { worker_connections 64; }
http {
  access_log off;
  ${places.join(' ')}
  ${server}
}
`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function listens(port: number, child: { readonly exitCode: number | null }): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error('nginx does not take the recipe');
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise((done) =>
      socket.once('connect', () => done(true)).once('error', () => done(false)),
    );
    socket.destroy();
    if (isOpen) return;
    await new Promise((done) => setTimeout(done, 20));
  }
}
