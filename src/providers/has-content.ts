/**
 * Whether a JSON value says anything. Brokers send every member, the unused ones as null, as an empty text or as 0: such a
 * value, and an object or a list of nothing else, is as good as absent.
 */
export function hasContent(value: unknown): boolean {
  return typeof value === 'object' && value !== null ? Object.values(value).some(hasContent) : Boolean(value);
}
