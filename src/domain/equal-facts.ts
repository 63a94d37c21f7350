import type { ImageFacts } from './image-event.ts';

/** What is said alike of two images. */
export function equalFacts(one: ImageFacts, other: ImageFacts): ImageFacts {
  const equal = Object.entries(one).filter(([name, value]) => other[name as keyof ImageFacts] === value);
  return Object.fromEntries(equal);
}
