import { once } from 'node:events';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { serveHttp } from '../../helpers/loopback-server.ts';
import { inputImage } from '../images.ts';

/** A request as it came to Azure. */
export type Received = {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  /** As text, because clients must find every byte of it at Azure. */
  readonly body: string;
};

export type ChatResource = {
  readonly origin: string;
  readonly received: readonly Received[];
  /** The image that its chat model draws. */
  readonly image: Buffer;
};

/** A v1 resource of Azure whose chat model calls the image tool once, and says so. Closed when the test ends. */
export async function startChatResource(): Promise<ChatResource> {
  const received: Received[] = [];
  const image = await inputImage('coral');
  const port = await serveHttp((request, response) => void answer(request, response, { received, image }));
  return { origin: `http://127.0.0.1:${port}`, received, image };
}

/** The key of the resource, which no client of the gateway has. */
export const chatKey = 'azure-chat-key-canary';

type Parts = { readonly received: Received[]; readonly image: Buffer };

async function answer(request: IncomingMessage, response: ServerResponse, { received, image }: Parts): Promise<void> {
  const { method = '', url = '', headers } = request;
  const body = Buffer.concat(await Array.fromAsync(request)).toString();
  received.push({ method, url, headers, body });
  const { stream } = JSON.parse(body) as { stream?: boolean };
  response.setHeader('content-type', stream ? 'text/event-stream' : 'application/json');
  if (!stream) response.end(JSON.stringify(responseOf(image)));
  else {
    for (const event of eventsOf(responseOf(image))) {
      if (!response.write(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)) await once(response, 'drain');
    }
    response.end();
  }
}

/** OpenAI's Response of a chat model. */
function responseOf(image: Buffer) {
  const content = [{ type: 'output_text', text: 'Here is your cat.', annotations: [], logprobs: [] }];
  const result = image.toString('base64');
  return {
    id: 'resp_azure',
    object: 'response',
    created_at: 1_796_000_000,
    status: 'completed',
    model: 'gpt-5.5',
    output: [
      { id: 'ig_azure', type: 'image_generation_call', status: 'completed', result, output_format: 'png' },
      { id: 'msg_azure', type: 'message', status: 'completed', role: 'assistant', content },
    ],
    usage: {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 0, cache_write_tokens: 0 },
      output_tokens: 20,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 30,
    },
    error: null,
    incomplete_details: null,
    instructions: null,
    metadata: {},
    parallel_tool_calls: true,
    temperature: 1,
    tool_choice: 'auto',
    tools: [],
    top_p: 1,
  };
}

/** The events of the same response. */
function eventsOf(response: ReturnType<typeof responseOf>): readonly { readonly type: string }[] {
  const [call, message] = response.output;
  const begun = { ...response, status: 'in_progress', output: [] };
  const place = { output_index: 0, item_id: call?.id };
  const events = [
    { type: 'response.created', response: begun },
    { type: 'response.output_item.added', output_index: 0, item: { ...call, status: 'in_progress', result: null } },
    { type: 'response.image_generation_call.generating', ...place },
    { type: 'response.image_generation_call.completed', ...place },
    { type: 'response.output_item.done', output_index: 0, item: call },
    { type: 'response.output_item.added', output_index: 1, item: { ...message, status: 'in_progress', content: [] } },
    { type: 'response.output_item.done', output_index: 1, item: message },
    { type: 'response.completed', response },
  ];
  return events.map((event, sequence_number) => ({ ...event, sequence_number }));
}
