// The bytes that JSON's structure is made of (RFC 8259).
export const quote = 0x22;
export const backslash = 0x5c;
export const openObject = 0x7b;
export const closeObject = 0x7d;
export const openArray = 0x5b;
export const closeArray = 0x5d;
export const colon = 0x3a;
export const comma = 0x2c;

/** Space, tab, line feed, carriage return. */
export function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}
