import type { Secret } from './secret.ts';

/** How to reach a database. */
export type PostgresSettings = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  /** `entra`: a token of Microsoft Entra ID is the password. */
  readonly password: Secret | 'entra' | undefined;
  /** With a checked certificate. */
  readonly isEncrypted: boolean;
  /** The schema that holds the tables; `undefined`: the first one of the user's search path. */
  readonly schema: string | undefined;
};
