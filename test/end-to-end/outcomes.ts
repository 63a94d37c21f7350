import { expect } from 'vitest';
import { type ScenarioDescription, scenarios } from '../../simulator/scenarios.ts';
import { callGateway } from '../helpers/call-gateway.ts';
import { inWords, streamGateway } from './events.ts';

/** Status, code, `x-should-retry` and `retry-after-ms` in one line, or `truncated`. */
export async function outcome(url: string, body: Record<string, unknown>): Promise<string> {
  try {
    const { status, headers, json } = await callGateway(url, body);
    const { error, data } = json();
    if (error === undefined) return `${status}, ${data.length} of ${body.n ?? 1}`;
    const wait = headers.get('retry-after-ms');
    return [`${status} ${error.code}`, headers.get('x-should-retry'), wait].filter((part) => part !== null).join(', ');
  } catch {
    return 'truncated';
  }
}

/** The status of an error response, as {@link outcome} says it, or the events of a stream. */
export async function streamedOutcome(url: string, body: Record<string, unknown>): Promise<string> {
  const { status, headers, events, json } = await streamGateway(url, { partial_images: 2, ...body });
  if (status === 200) return events.map(inWords).join(', ');
  expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
  const reported = [headers.get('x-should-retry'), headers.get('retry-after-ms')];
  return [`${status} ${json().error.code}`, ...reported].filter((part) => part !== null).join(', ');
}

/** Whether a scenario is meant, with or without its value. */
export function isCalled(spelled: string, name: string): boolean {
  return spelled === name || new RegExp(`^${name}-\\d+$`).test(spelled);
}

/** How many calls of a scenario are billed: one or none. */
export function billedFor(spelled: string): number {
  const { billed } = (scenarios as readonly ScenarioDescription[]).find(({ name }) => isCalled(spelled, name)) ?? {};
  return billed ? 1 : 0;
}
