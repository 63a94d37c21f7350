import { readdir, rename, symlink, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { openStore, png, put, receive } from './store-directory.ts';

// Each one stands for what a router may hand over, decoded or not; `ID` is a stored image's id, `NAME` its file's name.
const vectors = [
  '',
  '.',
  '..',
  '/',
  '../x',
  '../../etc/passwd',
  '../../../../../../../../etc/passwd',
  '..\\x',
  '..\\..\\windows\\win.ini',
  '%2e%2e',
  '%2e%2e%2fetc%2fpasswd',
  '%252e%252e%252fetc%252fpasswd',
  '..%2fetc%2fpasswd',
  '..%5c',
  '..%5c..%5cetc%5cpasswd',
  '%c0%ae%c0%ae%c0%af',
  '..%c0%af',
  '%uff0e%uff0e%u2215',
  '．．／etc／passwd',
  '....//....//etc/passwd',
  '..;/etc/passwd',
  '/etc/passwd',
  '/etc/passwd-aaaaaaaaaaaa',
  'C:\\windows\\win.ini',
  '\\\\server\\share\\image',
  'file:///etc/passwd',
  '~/.ssh/id_ed25519',
  '\0',
  'ID\0',
  'ID\0.png',
  'ID%00',
  'ID\n',
  'ID\r\n',
  ' ID',
  'ID ',
  'ID.',
  'ID/',
  'ID/.',
  './ID',
  'x/../ID',
  '../images/ID',
  'IDA',
  'NAME',
  '../images/NAME',
  'ID*',
  '*'.repeat(24),
  '.'.repeat(24),
  '../'.repeat(8),
  'é'.repeat(24),
  'ａ'.repeat(24),
  'A'.repeat(23),
  'A'.repeat(24),
  'A'.repeat(25),
  'A'.repeat(100_000),
  '__proto__',
  'constructor',
  'toString',
];

test.for(vectors.map((vector) => [vector.slice(0, 40), vector] as const))(
  'the id %j is unknown',
  async ([, vector]) => {
    const store = await openStore();
    const { id } = await put(store);
    const [name = ''] = await readdir(join(store.directory, 'images'));
    expect(await store.open(vector.replace('ID', id).replace('NAME', name))).toBeUndefined();
  },
);

test('an id that differs in the case of one letter is unknown', async () => {
  const store = await openStore();
  const { id } = await put(store);
  const other = id.replace(/[a-z]/i, (letter) =>
    letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
  );
  expect(await store.open(other)).toBeUndefined();
});

test('the id of an image that is still arriving is unknown, and so is the name of its file', async () => {
  const store = await openStore();
  const id = 'A'.repeat(24);
  await receive(store, id).write(png());
  const [name = ''] = await readdir(join(store.directory, 'arriving'));
  expect(name).toMatch(/^A{24}\.[\da-f]{8}$/);
  expect(await store.open(id)).toBeUndefined();
  expect(await store.open(name)).toBeUndefined();
});

test('a link planted beside the images is unknown', async () => {
  const store = await openStore();
  const { id } = await put(store);
  const [name = ''] = await readdir(join(store.directory, 'images'));
  const planted = 'P'.repeat(24);
  await symlink('/etc/passwd', join(store.directory, 'images', planted));
  await symlink('/etc/passwd', join(store.directory, 'images', name.replace(id, planted)));
  expect(await store.open(planted)).toBeUndefined();
});

test.for(['before it is opened', 'between open and read'])(
  'a link put in the place of an image %s is not followed',
  async (when) => {
    const store = await openStore();
    const { id } = await put(store);
    const [name = ''] = await readdir(join(store.directory, 'images'));
    const path = join(store.directory, 'images', name);
    const secret = join(store.directory, 'secret');
    await writeFile(secret, png());
    const plant = async () => {
      await unlink(path);
      await symlink(secret, path);
    };
    if (when === 'before it is opened') {
      await plant();
      expect(await store.open(id)).toBeUndefined();
      return;
    }
    const image = await store.open(id);
    await plant();
    await expect(buffer(image?.read() as Readable)).rejects.toMatchObject({ code: 'ELOOP' });
  },
);

test('an image that was moved away and back is the same image', async () => {
  const store = await openStore();
  const { id } = await put(store);
  const [name = ''] = await readdir(join(store.directory, 'images'));
  const path = join(store.directory, 'images', name);
  await rename(path, `${path}.away`);
  expect(await store.open(id)).toBeUndefined();
  await rename(`${path}.away`, path);
  expect(await store.open(id)).toBeDefined();
});
