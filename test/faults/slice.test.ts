import { expect, test } from 'vitest';
import { allCells, nameOf } from './matrix.ts';
import { playCells } from './play-cells.ts';

/** One cell for each way in which a paid call can end, spread over modes and clients; `npm run test:faults` plays all. */
const slice = [
  'A 1 refused (sdk)',
  'B 4 bad certificate (raw)',
  'C 5 reset on accept (sdk)',
  'E 6 FIN on accept (raw)',
  'A 6 FIN on accept without TLS (sdk)',
  'E 7 reset after read (sdk)',
  'B 9 header block above 64 KiB (sdk)',
  'A 10 hang before headers (sdk)',
  'C 12 FIN in a body of known length, in the middle of the image (raw)',
  'D 13 FIN in a chunked body, in the middle of the image (sdk)',
  'A 14 close-delimited cut (sdk)',
  'B 14 JSON cut with a correct length (raw)',
  'F 15 hang in the body, in the middle of the image (raw)',
  'D 18 502 as HTML (sdk)',
  'A 20 500 with an error object (sdk)',
  'B 23 503 with a busy text (raw)',
  'E 24 429, retry-after-ms (sdk)',
  'A 24 429, an hour (sdk)',
  'D 25 401 with a static key (raw)',
  'B 27 307 (raw)',
  'E 28 400 unsupported_content_type, then good (sdk)',
  'F 30 content refused as 400 (sdk)',
  'C 31 malformed JSON (raw)',
  'A 34 base64 that is no image (sdk)',
  'D 35 gzip unrequested (sdk)',
  'A 35 102 and 103 before the response (raw)',
  'A 36 an unsolicited second response (sdk)',
  'C operation failed (sdk)',
  'D error event after a partial image (sdk)',
  'F one of two: unknown (raw)',
  'A 25 401 for a token, then good (sdk)',
  'C 401 on a poll, then good (raw)',
  'B no token: nobody responds (raw)',
  'agent 7 reset after read (raw)',
  'agent 25 401 for every token (sdk)',
  'agent response: words only (sdk)',
  'agent response: failed, moderation_blocked (raw)',
  'agent-stream 13 FIN in a chunked body, in the middle of the image (raw)',
  'agent-stream events: reset behind the item (raw)',
  'agent-background 11 reset in the body (sdk)',
  'agent-background job taken: its id is a path upwards (raw)',
  'agent-background job polled: 500, then good (raw)',
];

const played = allCells.filter((cell) => slice.includes(nameOf(cell)));

test('every cell of the slice exists', () => {
  expect(played).toHaveLength(slice.length);
});

playCells(played);
