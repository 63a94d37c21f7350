import { type AnswerBody, jsonBody } from '../answer-body.ts';
import { extraMembers } from '../extra-members.ts';
import { type Members, usageOf } from '../images-answer.ts';
import { lateMembers } from './late-members.ts';
import { type OutputItem, outputItems } from './output-items.ts';
import type { ResponseJob } from './response-job.ts';
import { outcomeOf, type ResponseStatus } from './response-outcome.ts';

const megabyte = 1024 * 1024;

/** The body that shows a response in this state, with its output when it has come to the end it was meant for. */
export async function responseBody(job: ResponseJob, status: ResponseStatus): Promise<AnswerBody> {
  const items = status === outcomeOf(job).status ? await outputItems(job) : [];
  const images = items.flatMap((item) => item.images);
  const spelling = job.image.scenario.name === 'escaped' ? 'escaped' : 'usual';
  return jsonBody(responseMembers(job, status, items), images, spelling);
}

/** The members of a whole Response object (CONTRACTS §3.4). */
export function responseMembers(job: ResponseJob, status: ResponseStatus, items: readonly OutputItem[]): Members {
  const { id, createdAt, inBackground, isStored, echo, image } = job;
  const { name, value } = image.scenario;
  const outcome = outcomeOf(job);
  const { error, reason } = status === outcome.status ? outcome : {};
  const members = {
    id,
    object: 'response',
    ...(name === 'no-created' ? {} : { created_at: Math.floor(createdAt / 1000) }),
    status,
    background: inBackground,
    store: isStored,
    error: error ?? null,
    incomplete_details: reason === undefined ? null : { reason },
    ...echo,
    ...(name === 'agent-huge-echo' ? { instructions: 'Draw. '.padEnd(value * megabyte, 'Draw well. ') } : {}),
    ...(name === 'extra-fields' ? extraMembers() : {}),
    output: items.map((item) => item.members),
    usage: status === 'completed' || status === 'incomplete' ? chatUsageOf(job) : null,
  };
  return lateMembers(members, name);
}

// CONTRACTS §3.4: the tokens of the chat model, not of the image.
function chatUsageOf({ image }: ResponseJob): Members {
  const { input_tokens: inputTokens } = usageOf(image);
  const [input, output] = [Number(inputTokens) + 100, 50];
  return { input_tokens: input, output_tokens: output, total_tokens: input + output };
}
