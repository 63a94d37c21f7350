import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import sharp from 'sharp';
import { FormData, request } from 'undici';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { startProgram } from '../end-to-end/program.ts';

const readme = readFileSync('README.md', 'utf8');
const address = 'http://localhost:8866';

/** The code blocks of one language. */
function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text = '']) => text);
}

const programs = blocks('js');
const calls = blocks('sh').filter((text) => text.startsWith(`curl ${address}`) || text.startsWith('curl -N'));
const curls = calls.filter((text) => text.includes(' -d '));
const edits = calls.filter((text) => text.includes(' -F '));

let gateway: string;
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'recipes-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  const env = {
    PORT: '0',
    SIMULATOR_URL: 'http://127.0.0.1:0',
    DATA_DIR: join(directory, 'data'),
    LOG_PRETTY: 'false',
  };
  gateway = await (await startProgram({ entry: 'src/demo.ts', env })).listening();
});

test('the README has recipes', () => {
  expect([programs.length, curls.length, edits.length]).toEqual([3, 5, 1]);
});

test.each(programs)('the program in the README saves whole pictures: %#', async (text) => {
  await symlink(resolve('node_modules'), join(directory, 'node_modules'));
  await writeFile(join(directory, 'recipe.mjs'), text.replaceAll(address, gateway));
  await promisify(execFile)(process.execPath, ['recipe.mjs'], { cwd: directory });
  const named = [...text.matchAll(/(?<=['`])[\w$.{}-]+\.png(?=['`])/g)].map(([name]) => name);
  const previews = named.some((name) => name.includes('${')) ? ['preview-0.png', 'preview-1.png'] : [];
  const whole = named.filter((name) => !name.includes('${'));
  const saved = (await readdir(directory)).filter((name) => name.endsWith('.png'));
  expect(saved).toEqual([...new Set([...whole, ...previews])].sort());
  for (const name of saved) {
    const { format, width } = await sharp(await readFile(join(directory, name))).metadata();
    expect([format, width]).toEqual(['png', 1024]);
  }
});

test.each(curls)('the call in the README gives what it asks for: %s', async (text) => {
  const [, json = ''] = /-d '([^']+)'/.exec(text) ?? [];
  const asked = JSON.parse(json) as { n?: number; stream?: boolean; response_format?: 'url' | 'b64_json' };
  const { statusCode, body } = await request(`${gateway}/v1/images/generations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer demo-key' },
    body: json,
  });
  expect(statusCode).toBe(200);
  if (asked.stream) {
    const names = [...(await body.text()).matchAll(/^event: image_generation\.(.*)$/gm)].map(([, name]) => name);
    expect(names).toEqual(['partial_image', 'partial_image', 'completed']);
    return;
  }
  const { data } = (await body.json()) as { data: { url?: string; b64_json?: string }[] };
  expect(data).toHaveLength(asked.n ?? 1);
  if (asked.response_format) expect(Object.keys(data[0] ?? {})).toContain(asked.response_format);
  if (asked.response_format !== 'url') return;
  const picture = await request(String(data[0]?.url));
  expect((await sharp(await picture.body.bytes()).metadata()).format).toBe('png');
});

test.each(edits)('the edit in the README gives a picture: %s', async (text) => {
  const background = { r: 200, g: 80, b: 40 };
  const png = await sharp({ create: { width: 64, height: 64, channels: 3, background } })
    .png()
    .toBuffer();
  const form = new FormData();
  for (const [, quoted, plain] of text.matchAll(/-F (?:"([^"]+)"|(\S+))/g)) {
    const [name = '', value = ''] = (quoted ?? plain ?? '').split('=');
    if (value.startsWith('@')) form.append(name, new Blob([new Uint8Array(png)]), value.slice(1));
    else form.append(name, value);
  }
  const headers = { authorization: 'Bearer demo-key' };
  const { statusCode, body } = await request(`${gateway}/v1/images/edits`, { method: 'POST', headers, body: form });
  const answer = (await body.json()) as { data?: { b64_json: string }[] };
  expect({ statusCode, ...answer }).toEqual({ ...answer, statusCode: 200 });
  expect((await sharp(Buffer.from(answer.data?.[0]?.b64_json ?? '', 'base64')).metadata()).format).toBe('png');
});
