/** One event as a client sees it; `name` is empty when the stream gives none. */
export type ReadEvent = { readonly name: string; readonly data: string };

/** Reads a whole stream of events by the rules of the HTML standard, but for `id` and `retry`. */
export function readEvents(bytes: Buffer): ReadEvent[] {
  const events: ReadEvent[] = [];
  let name = '';
  let data: string[] = [];
  // The decoder takes a byte order mark away, as the standard wants it. What no empty line ends is no event.
  for (const line of new TextDecoder()
    .decode(bytes)
    .split(/\r\n|\n|\r/)
    .slice(0, -1)) {
    const [, field = '', value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? [];
    if (field === 'event') name = value;
    if (field === 'data') data.push(value);
    if (line !== '') continue;
    if (data.length > 0) events.push({ name, data: data.join('\n') });
    name = '';
    data = [];
  }
  return events;
}
