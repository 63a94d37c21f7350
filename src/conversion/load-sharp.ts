import { createRequire } from 'node:module';

/** What decodes and encodes images: libvips. */
export type SharpModule = typeof import('sharp').default;

/** The loaders of libvips that the gateway has a use for; SVG and all others must never see a client's bytes. */
const loaders = ['Png', 'Jpeg', 'Webp', 'Nsgif', 'Heif'].map((name) => `VipsForeignLoad${name}`);

/** Whether an optional package is installed. It is not loaded. */
export function isInstalled(name: 'sharp' | 'heic-decode'): boolean {
  try {
    createRequire(import.meta.url).resolve(name);
    return true;
  } catch {
    return false;
  }
}

/**
 * Loads the package, and sets it up for this process: one thread for each image, no cache, no other loaders.
 * @param isShared whether something else in this process needs the other loaders, as the simulator of the demo does
 */
export async function loadSharp(isShared: boolean): Promise<SharpModule> {
  const { default: sharp } = await import('sharp');
  sharp.concurrency(1);
  sharp.cache(false);
  if (!isShared) {
    sharp.block({ operation: ['VipsForeignLoad'] });
    sharp.unblock({ operation: loaders });
  }
  return sharp;
}
