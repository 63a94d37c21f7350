import { closestMatch } from 'leven';
import { printName } from './json-path.ts';

/**
 * `, did you mean \`baseURL\`?` when one of the known words is near, otherwise an empty string.
 * Case and separators do not count, so `base_url` and `apikey` find their words.
 */
export function suggest(word: string, known: readonly string[]): string {
  const byFold = new Map(known.map((candidate) => [fold(candidate), candidate]));
  const near = closestMatch(fold(word), [...byFold.keys()], { maxDistance: tolerance(word) });
  const candidate = near === undefined ? undefined : byFold.get(near);
  return candidate === undefined ? '' : `, did you mean \`${printName(candidate)}\`?`;
}

function fold(word: string): string {
  return word.toLowerCase().replace(/[-_. ]/g, '');
}

// Two swapped letters already count as two mistakes; in a word of three letters that would be another word.
function tolerance(word: string): number {
  if (word.length < 4) return 1;
  return word.length < 9 ? 2 : 3;
}
