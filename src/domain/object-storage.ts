import type { Secret } from './secret.ts';

/** An object store that holds the images of several gateways, as IMAGES_URL names it. */
export type ObjectStorage = (AzureContainer | S3Bucket) & {
  /** Where links to images lead: to the gateway, or with a signature to the object store itself. */
  readonly links: 'proxy' | 'direct';
};

/** Whether it is reached with tokens of Microsoft Entra ID. */
export function isKeylessAzure(storage: ObjectStorage | undefined): boolean {
  return storage?.kind === 'azure' && storage.key === undefined;
}

export type AzureContainer = {
  readonly kind: 'azure';
  readonly account: string;
  readonly container: string;
  /** The URL of the account's blob service, without a trailing slash. */
  readonly endpoint: string;
  /** The account's key; without one, tokens of Microsoft Entra ID are used. */
  readonly key: Secret | undefined;
};

export type S3Bucket = {
  readonly kind: 's3';
  readonly bucket: string;
  /** `undefined`: the one of the environment or of the profile. */
  readonly region: string | undefined;
  /** Of another service than AWS. */
  readonly endpoint: string | undefined;
};
