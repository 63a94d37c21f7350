import { nearestWord } from '../codec/nearest-word.ts';
import { printName } from './json-path.ts';

/** `, did you mean \`baseURL\`?` when one of the known words is near, otherwise an empty string. */
export function suggest(word: string, known: readonly string[]): string {
  const candidate = nearestWord(word, known);
  return candidate === undefined ? '' : `, did you mean \`${printName(candidate)}\`?`;
}
