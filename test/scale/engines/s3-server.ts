import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEngine } from './engine-process.ts';

const program = fileURLToPath(new URL('s3-program.ts', import.meta.url));

/** The only credentials that it knows. */
export const s3Credentials = { AWS_ACCESS_KEY_ID: 'S3RVER', AWS_SECRET_ACCESS_KEY: 'S3RVER' };

export type S3Server = {
  readonly bucket: string;
  readonly endpoint: string;
  close(): Promise<void>;
};

/** A service with the API of S3 of its own, in a temporary directory. */
export async function startS3Server(): Promise<S3Server> {
  const directory = await mkdtemp(join(tmpdir(), 'gateway-s3-'));
  const bucket = 'images';
  // Its cursors are encrypted with a cipher that OpenSSL has retired.
  const server = await startEngine(['--openssl-legacy-provider', program, directory, bucket], /^(http:\S+)/);
  return {
    bucket,
    endpoint: server.ready,
    async close() {
      await server.close();
      await rm(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
