const mebibyte = 1024 * 1024;

/**
 * What all requests together may take of the memory, in bytes, unless the operator says it: half of what the container
 * has, because the process itself and the garbage on its way need the rest, and 512 MiB at most.
 *
 * @param limit of the container; 0 where there is none
 */
export function defaultHeldBytes(limit = process.constrainedMemory()): number {
  const most = 512 * mebibyte;
  return limit > 0 ? Math.max(16 * mebibyte, Math.min(most, Math.floor(limit / 2))) : most;
}
