import type { FastifyReply } from 'fastify';
import type { GenerationReader } from '../../../domain/generation-reader.ts';
import type { ImageEnd, ImageEvent, ImageFacts } from '../../../domain/image-event.ts';
import { type Written, writeJsonText } from '../openai-images/write-json.ts';
import { SeenHeader } from '../shown-facts.ts';
import { type ResponseFacts, responseAround } from './response-object.ts';

/** Writes a generation's image as OpenAI's Response. Rejects with the generation's error. */
export function writeResponse(reader: GenerationReader, reply: FastifyReply, facts: ResponseFacts): Promise<void> {
  const parts = { facts, asked: () => reader.report.asked, written: reply.request.record };
  return writeJsonText(reader, reply, (events) => responseJson(events, parts));
}

type Parts = {
  readonly facts: ResponseFacts;
  /** What the upstream was asked for: known with the image. */
  readonly asked: () => ImageFacts;
  readonly written: Written;
};

/** The JSON text, piece by piece. It ends with the events: a response that is cut short is no JSON. */
export async function* responseJson(
  events: AsyncIterable<ImageEvent>,
  { facts, asked, written }: Parts,
): AsyncGenerator<Buffer | string> {
  const { before, after } = responseAround(facts);
  const header = new SeenHeader();
  let end: ImageEnd | undefined;
  for await (const event of events) {
    if (event.type === 'image') yield `${before}"`;
    else if (event.type === 'bytes') {
      header.add(event.chunk);
      yield event.chunk;
    } else if (event.type === 'image-end') {
      end = event;
      written.images += 1;
      yield '"';
    } else if (event.type === 'done' && end !== undefined) {
      yield after({ end, summary: event, asked: asked(), header });
    }
  }
}
