const headEnd = Buffer.from('\r\n\r\n');

/** Follows the last delimiter. */
const closing = Buffer.from('--');

/** The parser of forms refuses longer ones. */
const maxHead = 16 * 1024;

/**
 * Shows the head of every part of a form while its bytes pass by: the form's parser decodes names whatever their bytes
 * are, and does not tell which charset a part has declared. Nothing after the closing delimiter is searched. Returns what
 * takes the bytes.
 */
export function watchPartHeads(boundary: string, show: (head: Buffer) => void): (chunk: Buffer) => void {
  const delimiter = Buffer.from(`\r\n--${boundary}`);
  // The first delimiter may stand at the very beginning.
  let rest: Buffer = Buffer.from('\r\n');
  let isInHead = false;
  let isClosed = false;
  return (chunk) => {
    if (isClosed) return;
    // Most chunks hold nothing but a part of an image: they are searched as they are, and not copied.
    const seam = Buffer.concat([rest, chunk.subarray(0, delimiter.length)]);
    const isApart = !isInHead && chunk.length >= delimiter.length && !seam.includes(delimiter);
    rest = isApart ? chunk : Buffer.concat([rest, chunk]);
    for (;;) {
      isClosed = isInHead && rest.subarray(0, closing.length).equals(closing);
      if (isClosed) break;
      const end = isInHead ? headEnd : delimiter;
      const at = rest.indexOf(end);
      if (at === -1) break;
      if (isInHead) show(rest.subarray(0, at));
      // The line break behind a head may belong to the delimiter that follows it.
      rest = rest.subarray(isInHead ? at + 2 : at + end.length);
      isInHead = !isInHead;
    }
    const kept = isInHead ? maxHead : delimiter.length - 1;
    // A copy, so that no more than these bytes are held.
    if (rest.length > kept) rest = Buffer.from(rest.subarray(-kept));
  };
}
