import type { ImageUsage } from '../domain/image-event.ts';

/** What the picture has cost, as far as it is known: Azure's own count of tokens. */
export function describeBill(usage: ImageUsage | undefined): string {
  const counts = Object.entries(usage ?? {}).filter(([, value]) => typeof value === 'number');
  const tokens = counts.map(([name, value]) => `${name} ${value}`).join(', ');
  return tokens === '' ? 'Azure has not said what it counted.' : `Azure has counted: ${tokens}.`;
}
