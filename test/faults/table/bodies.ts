import { chunk, head, reply } from '../http-text.ts';
import { type Carrier, carrierOf, later } from '../modes.ts';
import { drip, fin, reset, type Step, write } from '../script.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atEnd, hurried, hurriedJob, lasting, lostJob, lostJobs, noticed, onCarrier } from './playing.ts';

type Framing = 'length' | 'chunked' | 'close';

/** The head of the carrier, and its body up to a place in it. */
function begin({ headers, body }: Carrier, until: number, framing: Framing): Step {
  const sent = body.subarray(0, until);
  if (framing === 'close') return write(Buffer.concat([Buffer.from(head(200, headers)), sent]));
  if (framing === 'chunked') {
    const start = Buffer.from(head(200, { ...headers, 'transfer-encoding': 'chunked' }));
    return write(Buffer.concat([start, chunk(sent)]));
  }
  return write(Buffer.concat([Buffer.from(head(200, { ...headers, 'content-length': String(body.length) })), sent]));
}

/** A fault in the body, before its image can be judged and in the middle of it. */
function inBody(
  number: number,
  name: string,
  steps: (carrier: Carrier, until: number) => Step[],
  how: {
    readonly reported: Expected;
    readonly lateInC?: Expected;
    readonly timeoutMs?: number;
  },
): Fault[] {
  const { reported, lateInC = expected.truncated, timeoutMs } = how;
  const common = { number, ...(timeoutMs !== undefined && { timeoutMs }) };
  // What travels in a GET is late only behind its job, and else retried until the deadline.
  const isLate = timeoutMs !== undefined;
  const job = { timeoutMs: isLate ? hurriedJob : lasting };
  return [
    {
      ...common,
      name,
      play: onCarrier((carrier) => steps(carrier, carrier.early)),
      reported,
      exceptions: {
        ...(isLate ? { 'agent-background': { reported: expected.lateJob, ...job } } : lostJob),
        C: { reported: expected.resultLost, timeoutMs: lasting },
      },
    },
    {
      ...common,
      name: `${name}, in the middle of the image`,
      play: onCarrier((carrier) => steps(carrier, carrier.late)),
      reported: expected.truncated,
      exceptions: {
        C: { reported: lateInC, ...job },
        'agent-background': { reported: expected.truncated, ...(isLate && job) },
      },
    },
  ];
}

export const bodyFaults: readonly Fault[] = [
  ...inBody(11, 'reset in the body', (carrier, until) => [begin(carrier, until, 'length'), noticed, reset], {
    reported: expected.unknown,
  }),
  ...inBody(12, 'FIN in a body of known length', (carrier, until) => [begin(carrier, until, 'length'), fin], {
    reported: expected.unknown,
  }),
  ...inBody(13, 'FIN in a chunked body', (carrier, until) => [begin(carrier, until, 'chunked'), fin], {
    reported: expected.unknown,
  }),
  ...inBody(14, 'close-delimited cut', (carrier, until) => [begin(carrier, until, 'close'), fin], {
    reported: expected.unknown,
    // Nothing in a file of unknown length says where it ends.
    lateInC: expected.doneCut,
  }),
  {
    number: 14,
    name: 'JSON cut with a correct length',
    play: (mode) => {
      const { headers, body, early } = carrierOf(mode === 'C' ? 'A' : mode);
      return atEnd(mode, reply(200, { ...headers, ...later }, body.subarray(0, early)));
    },
    reported: expected.unknown,
    exceptions: lostJobs,
  },
  ...inBody(15, 'hang in the body', (carrier, until) => [begin(carrier, until, 'length')], {
    timeoutMs: hurried,
    reported: expected.late,
  }),
  ...inBody(
    16,
    'a byte now and then',
    (carrier, until) => [begin(carrier, until, 'length'), ...drip(carrier.body.subarray(until, until + 7), 1_000)],
    { timeoutMs: hurried, reported: expected.late },
  ),
];
