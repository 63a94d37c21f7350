import { environmentReader, loadDotEnv } from '../config/environment.ts';
import { check } from './check.ts';
import type { Command } from './command-line.ts';
import { readConfiguration } from './configuration.ts';
import { runGateway } from './run-gateway.ts';

export const start: Command = {
  name: 'start',
  npm: 'npm start',
  words: '[--check]',
  about: 'Starts the gateway with the environment, .env and the files in config/.',
  options: { check: { meaning: 'check the configuration, show what it means, and start nothing' } },
  async run(line) {
    if (line.values.check) return check.run(line);
    // SIGHUP asks for a reload. Until the gateway listens for that, it would end the process.
    process.on('SIGHUP', () => {});
    const readVariables = environmentReader();
    await runGateway(readConfiguration(loadDotEnv()), { readVariables });
  },
};
