import { fileURLToPath } from 'node:url';

/** Where Python's packages are installed; git does not see it. */
export const packagesDirectory = fileURLToPath(new URL('../.python', import.meta.url));
