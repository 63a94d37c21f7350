import { loadDotEnv } from '../config/environment.ts';
import { type Command, readCommandLine } from './command-line.ts';
import { describeStartFailure } from './describe-start-failure.ts';
import { examine } from './doctor/examine.ts';
import { hasFailure } from './doctor/finding.ts';
import { printReport } from './doctor/print-report.ts';
import { entraFor, readConfiguration } from './run-gateway.ts';

const command: Command = {
  usage: 'npm run doctor',
  about: 'Checks the configuration, and then looks at every target over the network, by GETs that cost nothing.',
  options: {},
};

if (readCommandLine(command)) await main();
// Identities that do not answer are asked on and on by their package, and would keep the process alive.
process.stdout.write('', () => process.exit());

async function main(): Promise<void> {
  try {
    const { models } = readConfiguration(loadDotEnv());
    process.stdout.write('The configuration is valid. Looking at its targets, by GETs that cost nothing:\n\n');
    const reports = await examine(models, { entra: await entraFor(models) });
    process.stdout.write(printReport(reports));
    if (hasFailure(reports)) process.exitCode = 1;
  } catch (error) {
    process.stderr.write(describeStartFailure(error));
    process.exitCode = 1;
  }
}
