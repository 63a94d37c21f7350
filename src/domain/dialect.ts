import type { z } from 'zod';
import type { Operation } from './image-request.ts';
import type { CapabilityOverrides, ModelCapabilities } from './model-capabilities.ts';

/** A JSON object, before anything is known about its members. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** A usable value, or what is wrong with it in words that repeat none of it. */
export type Checked<T> = { readonly ok: T } | { readonly problem: string };

/** Something to say about one key of a target. */
export type KeyProblem = readonly [key: string, message: string];

/** Where a target is called; `deployment` where the address and the keys say together which one that is. */
export type DialectAddress = { readonly baseURL: string; readonly deployment?: string };

/** What every dialect is told of its target; its own keys stand beside these. */
export type DialectTarget = {
  /** The dialect's id. */
  readonly provider: string;
  /** The family: what the deployment is, e.g. `gpt-image-2`. */
  readonly model: string;
  /** Without trailing slash, query and fragment. */
  readonly baseURL: string;
};

/** A paid call that a target makes, for the command `check`; never shown to callers. */
export type PlannedCall = {
  readonly url: string;
  /** What the URL does not say. */
  readonly remarks: readonly string[];
};

/** What the models file may say about targets of one upstream protocol, and what that means. */
export interface Dialect<Config extends DialectTarget = DialectTarget> {
  /** The `provider` of its targets, also in logs and metrics. */
  readonly id: string;
  /** The keys that its targets have beside those of every target; unknown keys are refused. */
  readonly schema: z.ZodObject;
  /** What may follow the origin at a resource of Azure. A front door may have any path before it. */
  readonly azurePath: RegExp;
  /** The default for models with nothing but targets of this dialect, in milliseconds. */
  readonly timeoutMs?: number;
  /**
   * Works out the address from the entry before that was checked, so that a bad address is found beside other mistakes.
   * `undefined`: it cannot be judged, because of a mistake that the schema reports.
   *
   * @param url without trailing slash, query and fragment
   */
  address(url: string, entry: JsonObject): Checked<DialectAddress> | undefined;
  /** The path that somebody probably meant who has copied the address of a request; empty: none. */
  likelyPath(path: string, isAzure: boolean): string;
  /**
   * Whether a target that names another provider can only be meant for this one: its model is served nowhere else, however alike
   * the two addresses are.
   */
  claims?(entry: JsonObject): boolean;
  /** Keys that exclude each other, and what is missing where one of several is needed. */
  conflicts?(entry: JsonObject): readonly KeyProblem[];
  /** What is valid, but probably not meant. @param operations what the target's family can do */
  warnings?(
    config: Config & { readonly capabilities: CapabilityOverrides },
    operations: readonly Operation[],
  ): readonly KeyProblem[];
  /** What the protocol does otherwise than the models that speak it elsewhere. */
  capabilities?(config: Config): Partial<ModelCapabilities>;
  /** Where paid calls go. */
  addresses(config: Config): readonly PlannedCall[];
}
