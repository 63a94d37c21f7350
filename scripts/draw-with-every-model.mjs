// Draws with every model of a gateway, as any application does that has OpenAI's SDK and an address: as base64, by link, four
// at once, as a stream, and an edit. Prints a line for each model, and fails if an image is missing.
//
//   node scripts/draw-with-every-model.mjs                     the demo
//   OPENAI_BASE_URL=… OPENAI_API_KEY=… node scripts/draw-with-every-model.mjs
import OpenAI, { toFile } from 'openai';

const baseURL = process.env.OPENAI_BASE_URL ?? 'http://localhost:8866/v1';
const client = new OpenAI({ baseURL, apiKey: process.env.OPENAI_API_KEY ?? 'demo-key' });
const request = { prompt: 'A lighthouse in the fog', size: '1024x1024' };

/** What is done with each model: it gives how many images came. */
const tasks = {
  base64: async (model) => count(await client.images.generate({ model, ...request })),
  url: async (model) => {
    const { data = [] } = await client.images.generate({ model, ...request, response_format: 'url' });
    const files = await Promise.all(data.map(({ url }) => fetch(url)));
    return files.filter(({ ok }) => ok).length;
  },
  'n=4': async (model) => count(await client.images.generate({ model, ...request, n: 4, response_format: 'b64_json' })),
  stream: async (model) => {
    let completed = 0;
    for await (const event of await client.images.generate({ model, ...request, stream: true })) {
      if (event.type === 'image_generation.completed' && isImage(event.b64_json)) completed += 1;
    }
    return completed;
  },
  edit: async (model) => {
    const { data } = await client.images.generate({ model, ...request, response_format: 'b64_json' });
    const image = await toFile(Buffer.from(data[0].b64_json, 'base64'), 'lighthouse.png');
    return count(await client.images.edit({ model, ...request, prompt: 'Add a ship', image }));
  },
};

const expected = { 'n=4': 4 };

function count({ data = [] }) {
  return data.filter(({ b64_json, url }) => url !== undefined || isImage(b64_json)).length;
}

function isImage(base64) {
  const begin = Buffer.from(base64 ?? '', 'base64').toString('latin1', 0, 4);
  return begin === '\x89PNG' || begin.startsWith('\xff\xd8\xff') || begin === 'RIFF';
}

async function draw(model, name) {
  try {
    const images = await tasks[name](model);
    if (images !== (expected[name] ?? 1)) process.exitCode = 1;
    return `${name} ${images}`;
  } catch (error) {
    // Some models only make images, and a gateway says so.
    if (error.code === 'unsupported_operation') return `${name} unsupported`;
    process.exitCode = 1;
    return `${name} failed (${error.message})`;
  }
}

for (const { id } of (await client.models.list()).data) {
  const done = [];
  for (const name of Object.keys(tasks)) done.push(await draw(id, name));
  process.stdout.write(`${id}: ${done.join(', ')}\n`);
}
