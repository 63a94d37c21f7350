import fc from 'fast-check';

// Property tests try the same inputs in every run, so that a red build is red for everybody; FUZZ_SEED tries others.
fc.configureGlobal({ seed: Number(process.env.FUZZ_SEED ?? 20261121) });
