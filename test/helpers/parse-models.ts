import { providers } from '../../src/app.ts';
import * as config from '../../src/config/load-models.ts';

type Variables = Parameters<typeof config.parseModels>[1];

/** The text of a models file, checked with every provider that there is. */
export function parseModels(
  text: string,
  variables: Variables,
  file?: string,
  review?: config.Review,
  among = providers,
) {
  return config.parseModels(text, variables, among, file, review);
}

/** The same of a file. */
export function loadModels(file: string, variables: Variables, review?: config.Review) {
  return config.loadModels(file, variables, providers, review);
}
