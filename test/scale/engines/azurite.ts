import { fileURLToPath } from 'node:url';
import { BlobServiceClient, StorageSharedKeyCredential } from '@azure/storage-blob';
import { Secret } from '../../../src/domain/secret.ts';
import { startEngine } from './engine-process.ts';

const program = fileURLToPath(new URL('../node_modules/azurite/dist/src/blob/main.js', import.meta.url));
const tls = new URL('../../fixtures/tls/', import.meta.url);

/** Everybody's: https://learn.microsoft.com/azure/storage/common/storage-connect-azurite */
const account = 'devstoreaccount1';
const key = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export type Azurite = {
  readonly account: string;
  readonly key: Secret;
  readonly container: string;
  /** Of the blob service. */
  readonly endpoint: string;
  close(): Promise<void>;
};

/** An Azure Blob Storage of its own, in memory. @param withTokens over TLS, where it accepts tokens of Microsoft Entra ID */
export async function startAzurite({ withTokens = false } = {}): Promise<Azurite> {
  const secure = ['--oauth', 'basic', '--cert', path('certificate.pem'), '--key', path('key.pem')];
  const { ready, close } = await startEngine(
    [
      program,
      ...['--blobHost', '127.0.0.1', '--blobPort', '0', '--inMemoryPersistence', '--disableTelemetry', '--silent'],
      // It is always a version behind the client.
      '--skipApiVersionCheck',
      ...(withTokens ? secure : []),
    ],
    /successfully listens on (\S+)/,
  );
  // The certificate is that of localhost.
  const endpoint = `${withTokens ? ready.replace('127.0.0.1', 'localhost') : ready}/${account}`;
  const container = 'images';
  const service = new BlobServiceClient(endpoint, new StorageSharedKeyCredential(account, key));
  await service.createContainer(container);
  return { account, key: new Secret(key), container, endpoint, close };
}

function path(file: string): string {
  return fileURLToPath(new URL(file, tls));
}
