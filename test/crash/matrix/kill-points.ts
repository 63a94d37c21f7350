import type { GatewayProcess } from './gateway-process.ts';
import type { Held, HoldingRelay } from './holding-relay.ts';
import type { Asking } from './keyed-client.ts';
import {
  hasHandle,
  heldAfterHeaders,
  heldAfterSending,
  heldInBody,
  isJob,
  isLegacy,
  legsOf,
  type Mode,
} from './modes.ts';
import type { Phase } from './phases.ts';

/** The moments at which a gateway is killed, in the order in which a request passes them. */
export const killPoints = [
  'claimed',
  'before the dispatch is recorded',
  'dispatched, not sent',
  'sent',
  'response headers',
  'within the body',
  'handle received, or image received',
  'handle recorded',
  'image written, not renamed',
  'image renamed, end not recorded',
  'end recorded, response not ended',
  'response ended',
] as const;

export type KillPoint = (typeof killPoints)[number];

/** What the same key then gets, and how many calls are billed. */
export type Expected = { readonly status: 200 | 502; readonly billed: number };

/** What must follow; `undefined` where a mode has no such point: there the gateway is killed at a random time. */
export function expectedAfter(mode: Mode, point: KillPoint): Expected | undefined {
  const all = legsOf(mode);
  const found: Expected = { status: 200, billed: all };
  const unknown: Expected = { status: 502, billed: all };
  switch (point) {
    case 'claimed':
    case 'before the dispatch is recorded':
      return found;
    case 'dispatched, not sent':
      return { status: 502, billed: 0 };
    case 'sent':
    case 'handle received, or image received':
      return unknown;
    case 'response headers':
      // The headers of a poll: the submit's are the handle.
      return isLegacy(mode) ? found : unknown;
    case 'within the body':
    case 'image written, not renamed':
      return hasHandle(mode) ? found : unknown;
    case 'handle recorded':
      return hasHandle(mode) ? found : undefined;
    case 'image renamed, end not recorded':
    case 'end recorded, response not ended':
    case 'response ended':
      return found;
  }
}

type Stage = {
  readonly gateway: GatewayProcess;
  readonly relay: HoldingRelay;
  readonly mode: Mode;
};

/** Where the gateway stops by itself, and how many calls of a request stop there. */
function stopOf(point: KillPoint, mode: Mode): { readonly phase: Phase; readonly calls: number } | undefined {
  const legs = legsOf(mode);
  switch (point) {
    case 'claimed':
      return { phase: 'claimed', calls: 1 };
    case 'before the dispatch is recorded':
      return { phase: 'dispatching', calls: legs };
    case 'dispatched, not sent':
      return { phase: 'dispatched', calls: legs };
    case 'handle received, or image received':
      return { phase: hasHandle(mode) ? 'handle received' : 'image received', calls: 1 };
    case 'handle recorded':
      return { phase: 'handle noted', calls: 1 };
    case 'image written, not renamed':
      return { phase: 'image written', calls: 1 };
    case 'image renamed, end not recorded':
      return { phase: 'renamed', calls: 1 };
    case 'end recorded, response not ended':
      return { phase: 'finished', calls: 1 };
    default:
      return undefined;
  }
}

/** Which response of the upstream is held. */
function heldAt(point: KillPoint, mode: Mode): Held | undefined {
  if (point === 'sent') return heldAfterSending;
  if (point === 'response headers') return heldAfterHeaders(mode);
  return point === 'within the body' ? heldInBody(mode) : undefined;
}

/** Sends a request and resolves once it has come to the point, where it stays. Rejects when it ends before. */
export async function bringTo(point: KillPoint, { gateway, relay, mode }: Stage, send: () => Asking): Promise<Asking> {
  const stop = stopOf(point, mode);
  const held = heldAt(point, mode);
  if (stop) await gateway.stopAt(stop.phase);
  if (held) relay.hold(held);
  const asking = send();
  // Who polls may learn of the end before the gateway goes on.
  const isKnownFirst = isJob(mode) && point === 'end recorded, response not ended';
  if (stop && isKnownFirst) await gateway.reached(stop.phase, stop.calls);
  else if (stop) await before(asking, gateway.reached(stop.phase, stop.calls));
  else if (held) await before(asking, relay.holds(legsOf(mode)));
  if (point === 'within the body') await asking.begun;
  if (point === 'response ended') await asking.reply;
  return asking;
}

async function before(asking: Asking, reached: Promise<void>): Promise<void> {
  const ended = asking.reply.then(({ status, body }) => {
    throw new Error(`the response came first: ${status} ${body.subarray(0, 500)}`);
  });
  ended.catch(() => {});
  await Promise.race([reached, ended]);
}
