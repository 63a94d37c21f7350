/**
 * Loads a package that need not be installed. Rejects with a sentence for the operator when it is missing.
 * @param variable the setting that needs it
 * @param importing what imports it
 */
export async function loadOptional<T>(variable: string, name: string, importing: Promise<T>): Promise<T> {
  try {
    return await importing;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error;
    throw new Error(`${variable} needs the package ${name}: npm ci --include=optional`);
  }
}
