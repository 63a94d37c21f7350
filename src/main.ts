import './cli/hang-up.ts';
import { type Command, type CommandLine, readCommandLine } from './cli/command-line.ts';
import { describeKeys } from './cli/describe-keys.ts';
import { describeModels } from './cli/describe-models.ts';
import { describeStartFailure } from './cli/describe-start-failure.ts';
import { buildGateway, type Configuration, readConfiguration, runGateway, warningsOf } from './cli/run-gateway.ts';
import { environmentReader, loadDotEnv } from './config/environment.ts';

const command: Command = {
  usage: 'npm start [-- OPTIONS]',
  about: 'Starts the gateway, by .env or the environment, and the files in config/.',
  options: {
    check: { meaning: 'checks the configuration, shows what it means, and starts nothing (npm run check-config)' },
  },
};

const commandLine = readCommandLine(command);
if (commandLine) await main(commandLine);

async function main({ values }: CommandLine): Promise<void> {
  try {
    const readAgain = environmentReader();
    const configuration = readConfiguration(loadDotEnv());
    if (values.check) await check(configuration);
    else await runGateway(configuration, readAgain);
  } catch (error) {
    process.stderr.write(describeStartFailure(error));
    process.exitCode = 1;
  }
}

async function check(configuration: Configuration): Promise<void> {
  const { app } = await buildGateway(configuration);
  const { egressProxy } = configuration.models;
  const way = egressProxy ? ` Calls by https go through the proxy ${egressProxy.origin}.` : '';
  const warnings = warningsOf(configuration).map((warning) => `Warning: ${warning}\n`);
  const parts = [describeModels(app.gateway.catalog), describeKeys(configuration.keys.consumers)];
  if (warnings.length > 0) parts.push(warnings.join(''));
  process.stdout.write(`The configuration is valid.${way}\n\n${parts.join('\n')}`);
}
