import { loadDotEnv } from './config/environment.ts';
import { describeStartFailure } from './describe-start-failure.ts';
import { examine } from './doctor/examine.ts';
import { hasFailure } from './doctor/finding.ts';
import { printReport } from './doctor/print-report.ts';
import { entraFor, readConfiguration } from './run-gateway.ts';

// What `--check` does, and then a look at every target over the network, by calls that cost nothing.

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
// Identities that do not answer are asked on and on by their package, and would keep the process alive.
process.stdout.write('', () => process.exit());
