import sharp from 'sharp';
import { expect, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { editForm, editsPath, file } from '../end-to-end/edits.ts';
import { startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';
import { opaqueHeic } from '../fixtures/heic.ts';
import { formHeaders } from '../simulator/write-form.ts';

test('the built program converts: a photo of a phone before its call, and the image that is made of it', async () => {
  const simulator = await startSimulator();
  const program = await startProgram({ models: modelsFile(simulator.origin) });
  try {
    const url = await program.listening();
    const response = await fetch(`${url}${editsPath}`, {
      method: 'POST',
      headers: { 'api-key': 'program-key', ...formHeaders },
      body: new Uint8Array(editForm([file('image', opaqueHeic)], { output_format: 'webp' })),
    });
    expect(response.headers.get('x-gateway-adapted')).toBe('output_format=png>webp, image=heic>jpeg');
    const { data } = (await response.json()) as { data: { b64_json: string }[] };
    const { format } = await sharp(Buffer.from(data[0]?.b64_json ?? '', 'base64')).metadata();
    expect(format).toBe('webp');
  } finally {
    await simulator.close();
  }
});
