/** The same inputs for everybody, unless `npm run fuzz` says otherwise. */
export const seed = Number(process.env.FUZZ_SEED ?? 20261121);

/** How many inputs each kind of fuzzing tries. */
export const count = Number(process.env.FUZZ_COUNT ?? 20_000);
