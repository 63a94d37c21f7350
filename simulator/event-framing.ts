import { type AnswerBody, bodySequence, bytesBody, joinBody, jsonBody } from './answer-body.ts';
import type { Members } from './images-answer.ts';
import type { ScenarioName } from './scenarios.ts';
import type { StreamEvent } from './stream-scripts.ts';

type Framing = {
  readonly lineEnd: string;
  readonly withName: boolean;
  readonly arrange: (members: Members) => Members;
};

const usual: Framing = { lineEnd: '\n', withName: true, arrange: (members) => members };

function imageFirst({ type, b64_json, partial_image_b64, ...rest }: Members): Members {
  return { b64_json, partial_image_b64, ...rest, type };
}

const framings: Partial<Record<ScenarioName, Partial<Framing>>> = {
  'stream-crlf': { lineEnd: '\r\n' },
  'stream-cr': { lineEnd: '\r' },
  'stream-no-event-names': { withName: false },
  'stream-late-members': { arrange: imageFirst },
  'agent-late-members': { arrange: imageFirst },
  // Characters of two to four bytes, so that a cut can fall into one.
  'stream-split': { arrange: (members) => ({ ...members, note: 'Grüße ☃ 😀' }) },
};

/** The bytes before the first line: one scenario has a mark there, which a reader has to skip. */
export function streamHead(scenario: ScenarioName): AnswerBody {
  return bytesBody(...(scenario === 'stream-bom' ? [Buffer.from('\ufeff')] : []));
}

/** Writes lines as they are, each with the line end of the scenario. */
export function frameLines(lines: readonly string[], scenario: ScenarioName): AnswerBody {
  const { lineEnd } = { ...usual, ...framings[scenario] };
  return bytesBody(Buffer.from(lines.map((line) => `${line}${lineEnd}`).join('')));
}

/** Writes an event as CONTRACTS §2.2 shows it: its name, one data line, an empty line. */
export function frameEvent({ name, members, images = [] }: StreamEvent, scenario: ScenarioName): AnswerBody {
  const { lineEnd, withName, arrange } = { ...usual, ...framings[scenario] };
  const head = withName ? `event: ${name}${lineEnd}` : '';
  const tail = Buffer.from(`${lineEnd}${lineEnd}`);
  if (scenario === 'escaped') {
    const text = joinBody(jsonBody(members, images, 'escaped')).toString();
    // A line break within data begins another data line, and the reader puts them together again.
    const data = text.split(/\r\n|\n/).map((line) => `data: ${line}`);
    return bytesBody(Buffer.from(`${head}${data.join(lineEnd)}`), tail);
  }
  return bodySequence(bytesBody(Buffer.from(`${head}data: `)), jsonBody(arrange(members), images), bytesBody(tail));
}

const finelySplit = 600;
const pieceLengths = [1, 2, 3, 997, 64, 1, 511];

/** The same bytes in other pieces: one by one at both ends, where names and members are, in odd lengths between. */
export function* smallPieces(body: AnswerBody): Iterable<Buffer> {
  const bytes = joinBody(body);
  let round = 0;
  for (let start = 0; start < bytes.length; ) {
    const isInside = start >= finelySplit && start < bytes.length - finelySplit;
    const length = isInside ? (pieceLengths[round++ % pieceLengths.length] ?? 1) : 1;
    yield bytes.subarray(start, start + length);
    start += length;
  }
}
