const minKeyLength = 16;

export const shortKeyProblem = `has fewer than ${minKeyLength} characters and can be guessed: \`npm run key\` makes a good one`;

/** Whether a key that callers show is so short that somebody who tries many finds it. */
export function isShortKey(key: string): boolean {
  return key.length < minKeyLength;
}
