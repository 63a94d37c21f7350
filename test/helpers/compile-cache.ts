import { fileURLToPath } from 'node:url';

/** For the environment of programs that tests start: a short one spends most of its time on compiling the same files. */
export const compileCache = {
  NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/compile', import.meta.url)),
};
