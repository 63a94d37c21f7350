import type { ProviderCall } from '../../src/domain/image-provider.ts';

/** One call that nothing ends and nobody journals, with what a test sets. */
export function providerCall(parts: Partial<ProviderCall> = {}): ProviderCall {
  return {
    signal: new AbortController().signal,
    attempt: { sent: false },
    recorder: {
      anomaly: () => {},
      imageConverted: () => {},
      attemptEnded: () => {},
      retryArrived: () => {},
      unknownRepeated: () => {},
      budgetUsed: () => {},
      jobRecovered: () => {},
      generationEnded: () => {},
    },
    dispatch: async () => {},
    note: async () => {},
    ...parts,
  };
}
