import './hang-up.ts';
import { describeKeys } from './config/describe-keys.ts';
import { environmentReader, loadDotEnv } from './config/environment.ts';
import { describeStartFailure } from './describe-start-failure.ts';
import { describeModels } from './gateway/describe-models.ts';
import { buildGateway, readConfiguration, runGateway, warningsOf } from './run-gateway.ts';

try {
  const readAgain = environmentReader();
  const configuration = readConfiguration(loadDotEnv());
  if (process.argv.includes('--check')) {
    const { app } = await buildGateway(configuration);
    const { egressProxy } = configuration.models;
    const way = egressProxy ? ` Calls by https go through the proxy ${egressProxy.origin}.` : '';
    const warnings = warningsOf(configuration).map((warning) => `Warning: ${warning}\n`);
    const parts = [describeModels(app.gateway.catalog), describeKeys(configuration.keys.holders)];
    if (warnings.length > 0) parts.push(warnings.join(''));
    process.stdout.write(`The configuration is valid.${way}\n\n${parts.join('\n')}`);
  } else {
    await runGateway(configuration, readAgain);
  }
} catch (error) {
  process.stderr.write(describeStartFailure(error));
  process.exitCode = 1;
}
