const endless = 'it ends with a signal only; test/process/process.test.ts starts, calls and ends the same program';
const noDocker =
  'there is no Docker engine; test/repository/container.test.ts reads the Dockerfile and the compose file';
const minutes = 'it measures for minutes, and needs the machine for itself';

/** Commands of the documents that no test runs, with the reason. Their syntax and the scripts they name are still tested. */
export const notRun: Readonly<Record<string, string>> = {
  'npm ci && npm run demo':
    'it replaces the packages that the tests run on; test/process/process.test.ts covers the demo',
  'npm ci && npm test': 'it is what runs',
  'npm start': endless,
  'NODE_EXTRA_CA_CERTS=/etc/ssl/corporate-ca.pem npm start':
    'there is no such authority; test/end-to-end/private-authority.test.ts has its own',
  'docker compose run --rm gateway node dist/main.js check': noDocker,
  'docker compose up --build gateway': noDocker,
  'docker compose --profile demo up --build demo': noDocker,
  'docker compose --profile scale up --build nginx': noDocker,
  'npm run bench': minutes,
  'npm run bench -- cpu latency': minutes,
  'npm run bench -- cpu latency stream --before DIR': minutes,
  'npm run bench -- --quick': minutes,
  'npm run bench -- --save': minutes,
};
