import { createRequire } from 'node:module';

// Serves a directory with the API of S3: `node s3-program.ts DIRECTORY BUCKET`. It prints its URL when it is ready.

type S3rver = new (options: object) => { run(): Promise<{ readonly port: number }> };

const S3rver = createRequire(import.meta.url)('s3rver') as S3rver;
const [directory, bucket] = process.argv.slice(2);
const server = new S3rver({
  port: 0,
  address: '127.0.0.1',
  silent: true,
  directory,
  configureBuckets: [{ name: bucket }],
});
const { port } = await server.run();
process.stdout.write(`http://127.0.0.1:${port}\n`);
