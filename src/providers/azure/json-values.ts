/** A member of an object, and `undefined` of anything else. */
export function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}

/** Nobody nests emptiness deeper; a hostile upstream must not overflow the stack. */
const deepest = 32;

/**
 * Whether a JSON value says anything. Brokers send every member, the unused ones as null, as an empty text or as 0: such a
 * value, and an object or a list of nothing else, is as good as absent.
 */
export function hasContent(value: unknown, depth = 0): boolean {
  if (typeof value !== 'object' || value === null) return Boolean(value);
  return depth > deepest || Object.values(value).some((member) => hasContent(member, depth + 1));
}

/** Whether the data of an event is a JSON object; `undefined` as long as there is white space only. */
export function beginsObject(data: Buffer): boolean | undefined {
  const first = data.find((byte) => byte > 0x20);
  return first === undefined ? undefined : first === 0x7b;
}
