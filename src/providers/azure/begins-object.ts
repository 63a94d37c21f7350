/** Whether the data of an event is a JSON object; `undefined` as long as there is white space only. */
export function beginsObject(data: Buffer): boolean | undefined {
  const first = data.find((byte) => byte > 0x20);
  return first === undefined ? undefined : first === 0x7b;
}
