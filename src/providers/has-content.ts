/** Whether a JSON value says anything: `null`, `""`, `{}` and `{ "code": null }` all mean that there is nothing. */
export function hasContent(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasContent);
  return value !== undefined && value !== null && value !== '' && value !== false;
}
