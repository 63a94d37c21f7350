/** An uploaded file. */
export type SpooledFile = {
  readonly bytes: number;
  /** As hex. */
  readonly sha256: string;
  /** All of it, from the first byte on. */
  open(): AsyncIterable<Buffer>;
  /** So many bytes from a position on; fewer where the file ends. */
  read(position: number, length: number): Promise<Buffer>;
};

/** Keeps the uploaded files of one request until it is released. */
export interface InputSpool {
  /**
   * Takes in a file while it arrives; one at a time. Rejects with what `bytes` throws, and with the GatewayErrors
   * `storage_failed` and `overloaded`.
   */
  put(bytes: AsyncIterable<Buffer>): Promise<SpooledFile>;
  /** Lets go of everything; nothing can be read any more. Never rejects. */
  release(): Promise<void>;
}

/** A spool for one request of a consumer. */
export type OpenSpool = (consumer: string) => InputSpool;
