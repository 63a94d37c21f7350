import type { KeyHolder, KeyLimits } from '../domain/key-holder.ts';

/** Who may call, for people. No secrets. */
export function describeKeys(holders: readonly KeyHolder[]): string {
  if (holders.length === 0) return 'Nobody has to show a key.\n';
  return `Who may call:\n${holders.map(describeHolder).join('')}`;
}

function describeHolder({ name, keys, models, limits }: KeyHolder): string {
  const remarks = [keys.map(describeKey).join(', '), models ? `models ${models.join(', ')}` : 'all models'];
  return `  ${name}: ${[...remarks, ...describeLimits(limits)].join('; ')}\n`;
}

function describeKey({ expiresAt }: KeyHolder['keys'][number]): string {
  if (expiresAt === undefined) return 'a key';
  return `a key until ${new Date(expiresAt).toISOString()}`;
}

function describeLimits({ requests, images, windowMs, concurrent }: KeyLimits): string[] {
  const window = `in ${windowMs / 1000} s`;
  return [
    ...(requests === undefined ? [] : [`${requests} requests ${window}`]),
    ...(images === undefined ? [] : [`${images} images ${window}`]),
    ...(concurrent === undefined ? [] : [`${concurrent} at once`]),
  ];
}
