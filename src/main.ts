import './hang-up.ts';
import { environmentReader, loadDotEnv } from './config/environment.ts';
import { describeStartFailure } from './describe-start-failure.ts';
import { describeModels } from './gateway/describe-models.ts';
import { buildGateway, readConfiguration, runGateway } from './run-gateway.ts';

try {
  const readAgain = environmentReader();
  const configuration = readConfiguration(loadDotEnv());
  if (process.argv.includes('--check')) {
    const { app } = await buildGateway(configuration);
    process.stdout.write(`The configuration is valid.\n\n${describeModels(app.gateway.catalog)}`);
  } else {
    await runGateway(configuration, readAgain);
  }
} catch (error) {
  process.stderr.write(describeStartFailure(error));
  process.exitCode = 1;
}
