import { callGateway } from '../helpers/call-gateway.ts';
import { type Rig, startRig } from './rig.ts';

/** Of each image of the default model. */
export const imagePrice = 0.04;

const prices = {
  'gpt-image-2': { images: [{ price: imagePrice }] },
  'gpt-image-1.5': { images: [{ price: 0.1 }] },
  'dall-e-3': { images: [{ quality: 'hd', price: 0.2 }, { price: 0.08 }] },
  'dall-e-2': { images: [{ price: 0.02 }] },
};

/** Noon of the last day of November 2026. */
export const noon = Date.UTC(2026, 10, 30, 12);

/** Callers whose keys are called as they are. */
export function caller(name: string, more: object = {}): object {
  return { [name]: { keys: [{ key: `${name}-key` }], ...more } };
}

export const keyOf = (name: string) => ({ authorization: `Bearer ${name}-key` });

type Options = Parameters<typeof startRig>[0];

/** The rig with a price for every image, whose time of day is `clock.now`. */
export async function startPricedRig(callers: object, more: Options = {}) {
  const clock = { now: noon };
  const fileKeys = { prices, ...more.fileKeys };
  const rig = await startRig({ callers, now: () => clock.now, ...more, fileKeys });
  const send = (name: string, body: object = {}, headers: Record<string, string> = {}) =>
    callGateway(rig.url, { prompt: 'a cat', ...body }, { headers: { ...keyOf(name), ...headers } });
  return Object.assign(Object.create(rig) as Rig, { clock, send });
}

/** A GET with the key of a caller. */
export async function get(url: string, path: string, name: string, headers: Record<string, string> = {}) {
  const response = await fetch(`${url}${path}`, { headers: { ...keyOf(name), ...headers } });
  return { status: response.status, headers: response.headers, text: await response.text() };
}
