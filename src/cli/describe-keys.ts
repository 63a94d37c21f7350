import type { Consumer, KeyLimits } from '../domain/consumer.ts';

/** Who may call, for people. No secrets. */
export function describeKeys(consumers: readonly Consumer[]): string {
  if (consumers.length === 0) return 'Nobody has to show a key.\n';
  return `Who may call:\n${consumers.map(describeHolder).join('')}`;
}

function describeHolder({ name, keys, models, limits }: Consumer): string {
  const remarks = [keys.map(describeKey).join(', '), models ? `models ${models.join(', ')}` : 'all models'];
  return `  ${name}: ${[...remarks, ...describeLimits(limits)].join('; ')}\n`;
}

function describeKey({ expiresAt }: Consumer['keys'][number]): string {
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
