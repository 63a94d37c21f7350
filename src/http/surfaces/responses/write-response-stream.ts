import type { FastifyReply } from 'fastify';
import type { GenerationReader } from '../../../domain/generation-reader.ts';
import { asGatewayError } from '../../error-response.ts';
import { defaultHeartbeatMs, sendEvents, streamHeaders, whenKnown } from '../../event-stream.ts';
import { generationHeaders } from '../../gateway-headers.ts';
import { type ReadAgain, ResponseEvents } from './response-events.ts';
import type { ResponseFacts } from './response-object.ts';

type Options = {
  readonly facts: ResponseFacts;
  readonly readAgain: ReadAgain;
  /** The number of the last event that the client has; `undefined`: it has none. */
  readonly startingAfter?: number | undefined;
  readonly heartbeatMs?: number;
};

/** Writes a generation's image as OpenAI's event stream of a response. It begins at once: a failure is an event of its own. */
export async function writeResponseStream(
  reader: GenerationReader,
  reply: FastifyReply,
  { heartbeatMs = defaultHeartbeatMs, ...parts }: Options,
): Promise<void> {
  const { record } = reply.request;
  reply.headers({ ...generationHeaders(reader.report, reply.request), ...streamHeaders });
  // It may fail before the first events have been written, and is read only then.
  reader.events.catch(() => {});
  const events = new ResponseEvents(whenKnown(reader.events), {
    ...parts,
    asked: () => reader.report.asked,
    written: record,
    toError: (error) => {
      record.error = error;
      return asGatewayError(error, record.requestId);
    },
  });
  await sendEvents(reader, reply, events, { heartbeatMs });
}
