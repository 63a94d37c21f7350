import { existsSync } from 'node:fs';

/** Nobody has to have this file; one that is named must be there. */
export const defaultKeysFile = 'config/keys.json';

/** Whether a keys file says who may call. One that is named and missing is a mistake, which is found when it is read. */
export function hasKeys(keysFile: string | undefined): keysFile is string {
  return keysFile !== undefined && (keysFile !== defaultKeysFile || existsSync(keysFile));
}
