import sharp from 'sharp';
import { gatewayKey } from '../helpers/start-gateway.ts';

/** A plain image. @param edge in pixels */
export async function pngOf(edge: number): Promise<Buffer> {
  return sharp({ create: { width: edge, height: edge, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
}

/** An edit as a form. */
export async function postForm(url: string, prompt: string, images: readonly Buffer[]): Promise<Response> {
  const form = new FormData();
  form.set('prompt', prompt);
  for (const image of images) form.append('image[]', new Blob([new Uint8Array(image)]), 'image.png');
  const response = await fetch(`${url}/v1/images/edits`, {
    method: 'POST',
    headers: { 'api-key': gatewayKey },
    body: form,
  });
  await response.clone().arrayBuffer();
  return response;
}
