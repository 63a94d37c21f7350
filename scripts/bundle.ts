import { rolldown } from 'rolldown';

/** The code of a program in one file. */
export async function bundle(input: string): Promise<string> {
  const bundle = await rolldown({
    input,
    platform: 'node',
    // The UMD builds of some packages resolve their parts at run time, which no bundler can follow.
    resolve: { mainFields: ['module', 'main'] },
    // Loaded on demand: Entra ID tokens, PostgreSQL, object stores, conversions of images, the readable log, and the simulator of
    // the demo, which is not for production.
    external: [/^@azure\//, /^@aws-sdk\//, 'pg', 'sharp', 'heic-decode', 'pino-pretty', /\/simulator\//],
    logLevel: 'warn',
  });
  const { output } = await bundle.generate({
    format: 'esm',
    codeSplitting: false,
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await bundle.close();
  return output[0].code;
}
