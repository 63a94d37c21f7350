import { fileURLToPath } from 'node:url';

/** Python packages that are installed together, apart from those of other clients: each is a file in `requirements/`. */
export const packageSets = ['openai', 'openai-0.28', 'pipecat', 'azure-ai-projects'] as const;

export type PackageSet = (typeof packageSets)[number];

/** Where the packages of a set are installed; git does not see it. */
export const packagesDirectory = (set: PackageSet): string =>
  fileURLToPath(new URL(`../.python/${set}`, import.meta.url));

/** The file that names them with their versions. */
export const requirementsFile = (set: PackageSet): string =>
  fileURLToPath(new URL(`requirements/${set}.txt`, import.meta.url));
