import { closestMatch } from 'leven';

/** No name of ours is longer, and the time of a comparison grows with the length of what a caller sends. */
const maxLength = 128;

/**
 * The known word that was probably meant, or `undefined` when none is near. Case and separators do not count, so
 * `base_url` finds `baseURL`.
 */
export function nearestWord(word: string, known: readonly string[]): string | undefined {
  if (word.length > maxLength) return undefined;
  const byFold = new Map(known.map((candidate) => [fold(candidate), candidate]));
  const near = closestMatch(fold(word), [...byFold.keys()], { maxDistance: tolerance(word) });
  return near === undefined ? undefined : byFold.get(near);
}

function fold(word: string): string {
  return word.toLowerCase().replace(/[-_. ]/g, '');
}

// Two swapped letters already count as two mistakes; in a word of three letters that would be another word.
function tolerance(word: string): number {
  if (word.length < 2) return 0;
  if (word.length < 4) return 1;
  return word.length < 9 ? 2 : 3;
}
