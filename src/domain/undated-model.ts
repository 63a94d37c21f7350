/** The name of a model without the date of its version: `gpt-image-2` for `gpt-image-2-2026-04-21`, in lower case. */
export function undatedModel(model: string): string {
  return model.toLowerCase().replace(/-\d{4}-\d\d-\d\d$/, '');
}
