const levels = 40;

/** Members that no reader knows: deep, large (about 300 kB), and with a decoy of the very members it looks for. */
export function extraMembers(): Record<string, unknown> {
  let nested: Record<string, unknown> = { end: true };
  for (let level = 0; level < levels; level += 1) nested = { level, list: [null, false, 1.5e300, [nested]] };
  const decoy = Buffer.from('This is a decoy.').toString('base64');
  return {
    trace: {
      data: [{ b64_json: decoy, url: 'https://decoy.example.invalid/' }],
      output: [{ type: 'image_generation_call', status: 'completed', result: decoy }],
      created: -1,
      nested,
    },
    notes: Array.from({ length: 3000 }, (_, row) => `row ${row}: \\"quoted\\" {[ brackets ]} and ünïcödé ☃ everywhere`),
    '': 0,
  };
}
