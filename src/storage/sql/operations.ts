import { budgetOperations, transactionalBudgetOperations } from './budget-operations.ts';
import { claimOperations } from './claim-rows.ts';
import { coolDownOperations } from './cool-down-rows.ts';
import { jobOperations } from './job-rows.ts';
import { limitOperations } from './limit-rows.ts';
import { jobStoreFailure } from './operation-failure.ts';
import { quotaOperations } from './quota-rows.ts';
import { recordOperations } from './record-rows.ts';
import type { Steps } from './steps.ts';
import { takingOperations } from './taken-rows.ts';

/** What is the same in SQLite and PostgreSQL. */
export const sharedOperations = {
  ...claimOperations,
  ...jobOperations,
  ...limitOperations,
  ...quotaOperations,
  ...coolDownOperations,
  ...recordOperations,
  ...takingOperations,
  ...budgetOperations,
};

/** Operations whose later statements rely on what the first one has locked: PostgreSQL runs them in a transaction, too. */
export const transactions: ReadonlySet<string> = new Set([
  'acquirePermit',
  ...transactionalBudgetOperations,
  'takeQuota',
  'correctQuota',
  'refuseQuota',
] satisfies (keyof typeof sharedOperations)[]);

/** Operations by their names. Arguments and results are plain data, because they may pass from thread to thread. */
export type Operations = Readonly<Record<string, (...values: never[]) => Steps<unknown>>>;

type SharedOperations = typeof sharedOperations;

type ResultOf<Operation> = Operation extends (...values: never[]) => Steps<infer Result> ? Result : never;

type ArgumentsOf<Operation> = Operation extends (...values: infer Values) => Steps<unknown> ? Values : never;

/** Runs operations on a database. */
export interface OperationRunner<All = SharedOperations> {
  /** Rejects with an OperationFailure: then nobody knows whether a part of it was done, unless its code says so. */
  run<Name extends keyof All>(name: Name, ...values: ArgumentsOf<All[Name]>): Promise<ResultOf<All[Name]>>;
  /** Operations are committed in the order in which they were given. */
  readonly keepsOrder: boolean;
  /** Transactions since the start, and the rows that they changed. */
  readonly commits: number;
  readonly changes: number;
  /** Resolves once everything has been run. */
  close(): Promise<void>;
}

/** Runs an operation. Rejects with the GatewayError that stands for what went wrong. */
export async function runOrFail<All, Name extends keyof All>(
  runner: OperationRunner<All>,
  name: Name,
  ...values: ArgumentsOf<All[Name]>
): Promise<ResultOf<All[Name]>> {
  try {
    return await runner.run(name, ...values);
  } catch (error) {
    throw jobStoreFailure(error);
  }
}
