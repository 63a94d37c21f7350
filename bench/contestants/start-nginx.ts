import { spawnSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { startChild } from '../children.ts';
import { scenarioName } from '../scenario.ts';
import { temporaryDirectory } from '../temporary-directory.ts';
import type { Upstream } from '../upstream/start-upstream.ts';
import { bodyFor, type Contestant, jsonType, minBytes } from './contestant.ts';
import { freePort } from './free-port.ts';
import { waitForResponse } from './wait-for-response.ts';

/** nginx with one worker and `proxy_pass`, everything else as it is by default; `undefined` where it is not present. */
export async function startNginx(upstream: Upstream): Promise<Contestant | undefined> {
  if (spawnSync('nginx', ['-v']).error) return undefined;
  const directory = await temporaryDirectory();
  await mkdir(join(directory, 'logs'), { recursive: true });
  const port = await freePort();
  await writeFile(join(directory, 'nginx.conf'), configuration(port, upstream.origin));
  const child = startChild('contestant', ['nginx', '-p', directory, '-c', 'nginx.conf', '-e', 'logs/error.log']);
  const origin = `http://127.0.0.1:${port}`;
  await waitForResponse(child, origin);
  return {
    column: 'nginx',
    child,
    call: (scenario) => ({
      url: upstream.deployment(scenario).replace(upstream.origin, origin).concat('/images/generations'),
      headers: jsonType,
      body: bodyFor(scenarioName(scenario), scenario),
      minBytes: minBytes(scenario),
    }),
  };
}

function configuration(port: number, upstream: string): string {
  return `
${process.getuid?.() === 0 ? 'user root;' : ''}
daemon off;
worker_processes 1;
pid nginx.pid;
error_log logs/error.log;
events { worker_connections 2048; }
http {
  access_log logs/access.log;
  ${['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name}_temp;`).join(' ')}
  server {
    listen 127.0.0.1:${port};
    location / { proxy_pass ${upstream}; }
  }
}
`;
}
