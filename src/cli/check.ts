import { loadDotEnv } from '../config/environment.ts';
import type { ResponsesConfig } from '../config/models-config.ts';
import { microsAsText } from '../domain/budget.ts';
import type { Consumer, KeyLimits } from '../domain/consumer.ts';
import { hasEnded } from '../targets/lifetime.ts';
import type { LogicalModel, ModelCatalog, Target } from '../targets/model-catalog.ts';
import type { Command } from './command-line.ts';
import { readConfiguration, warningsOf } from './configuration.ts';
import { buildGateway } from './run-gateway.ts';

export const check: Command = {
  name: 'check',
  npm: 'npm run check-config',
  words: '',
  about: 'Checks the configuration and shows what it means. Starts nothing.',
  options: {},
  async run() {
    const configuration = readConfiguration(loadDotEnv());
    const { app } = await buildGateway(configuration);
    const { egressProxy, responses } = configuration.models;
    const proxy = egressProxy ? ` HTTPS calls go through the proxy ${egressProxy.origin}.` : '';
    const warnings = warningsOf(configuration).map((warning) => `Warning: ${warning}\n`);
    const parts = [
      describeModels(app.gateway.catalog),
      ...(responses ? [describeForwarding(responses)] : []),
      describeKeys(configuration.keys.consumers),
    ];
    if (warnings.length > 0) parts.push(warnings.join(''));
    await app.server.close();
    process.stdout.write(`The configuration is valid.${proxy}\n\n${parts.join('\n')}`);
  },
};

/** Models, their aliases, and the URLs of their targets. No secrets. */
export function describeModels(catalog: ModelCatalog): string {
  return catalog.models.map((model) => describeModel(model, catalog)).join('\n');
}

function describeModel({ name, timeoutMs, targets }: LogicalModel, { aliases, defaultModel }: ModelCatalog): string {
  const aliasNames = [...aliases].filter(([, model]) => model === name).map(([alias]) => alias);
  const remarks = [
    ...(name === defaultModel ? ['default model'] : []),
    ...(aliasNames.length > 0 ? [`aliases ${aliasNames.join(', ')}`] : []),
    `timeout ${timeoutMs / 1000} s`,
  ];
  return `${name} (${remarks.join('; ')})\n${targets.map(describeTarget).join('')}`;
}

function describeTarget(target: Target): string {
  const { name, family, priority, weight, provider, calls, quota, retirement } = target;
  const urls = calls.map(
    ({ url, remarks }) => `    POST ${url}${remarks.length > 0 ? ` (${remarks.join(', ')})` : ''}\n`,
  );
  const place = hasEnded(target) ? 'tried last' : `priority ${priority}`;
  const remarks = [`family ${family.name}`, place, `weight ${weight}`];
  if (quota) remarks.push(`quota ${quota.name}`);
  if (retirement) remarks.push(`retires ${retirement.date}`);
  return `  target ${name}: ${provider.id}, ${remarks.join(', ')}\n${urls.join('')}`;
}

/** Where requests of the Responses API are forwarded. No secrets. */
export function describeForwarding({ target, image }: ResponsesConfig): string {
  const tool = image ? `${image.deployment} (model ${image.model})` : 'none (no `imageModel`)';
  return `Responses API: forwarded to ${target.baseURL}/responses\n  deployment of the image tool: ${tool}\n`;
}

/** The consumers, their models and their limits. No secrets. */
export function describeKeys(consumers: readonly Consumer[]): string {
  if (consumers.length === 0) return 'Authentication: off (loopback only).\n';
  return `Consumers:\n${consumers.map(describeConsumer).join('')}`;
}

function describeConsumer({ name, keys, models, limits, budget, isAdmin }: Consumer): string {
  const remarks = [keys.map(describeKey).join(', '), models ? `models ${models.join(', ')}` : 'all models'];
  const money = budget && `${microsAsText(budget.amount)} ${budget.currency} per ${budget.per}`;
  const more = [...describeLimits(limits), ...(money ? [money] : []), ...(isAdmin ? ['admin'] : [])];
  return `  ${name}: ${[...remarks, ...more].join('; ')}\n`;
}

function describeKey({ expiresAt }: Consumer['keys'][number]): string {
  return expiresAt === undefined ? 'key' : `key until ${new Date(expiresAt).toISOString()}`;
}

function describeLimits({ requests, images, windowMs, concurrent }: KeyLimits): string[] {
  const window = `per ${windowMs / 1000} s`;
  return [
    ...(requests === undefined ? [] : [`${requests} requests ${window}`]),
    ...(images === undefined ? [] : [`${images} images ${window}`]),
    ...(concurrent === undefined ? [] : [`${concurrent} concurrent`]),
  ];
}
