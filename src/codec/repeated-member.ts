/** Strings, and whether each is the name of a member; the braces outside of them. */
const tokens = /"[^"\\]*(?:\\.[^"\\]*)*"(\s*:)?|[{}]/gs;

/**
 * The first member of an object that has another one of its name: the names from the outermost object inwards. Parsers
 * differ in which of the two they take, so nobody knows which one is meant. @param text valid JSON
 */
export function repeatedMember(text: string): readonly string[] | undefined {
  const objects: { readonly names: Set<string>; last: string }[] = [];
  for (const [token, colon] of text.matchAll(tokens)) {
    if (token === '{') objects.push({ names: new Set(), last: '' });
    else if (token === '}') objects.pop();
    const object = objects.at(-1);
    if (colon === undefined || object === undefined) continue;
    object.last = JSON.parse(token.slice(0, -colon.length));
    if (object.names.has(object.last)) return objects.map(({ last }) => last);
    object.names.add(object.last);
  }
  return undefined;
}
