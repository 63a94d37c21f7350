import type { FaultServer, Script, ScriptedResponse } from './fault-server.ts';
import { goodResponse, type Mode, responseIn } from './modes.ts';
import { isPaidCall, type Request } from './read-requests.ts';
import { type Fault, reportedIn } from './table/fault.ts';

/** A fault, for as many requests of each kind as it lasts. */
export function scriptOf(fault: Fault, mode: Mode): Script {
  const { welcome = 'serve', play, times = Number.POSITIVE_INFINITY } = fault;
  return {
    welcome,
    respond(request: Request, index: number): ScriptedResponse {
      if (play === undefined || index >= times) return goodResponse(mode, request);
      const faulty = play(mode, request.headers.host ?? '', index, request);
      const isPaid = isPaidCall(request) && reportedIn(fault, mode).accepted > 0;
      const isReplaced = faulty.post !== undefined && times < Number.POSITIVE_INFINITY;
      const isBilled = isPaid && !isReplaced;
      return { steps: responseIn(mode, request, faulty), isBilled };
    },
  };
}

export const healthy = (mode: Mode): Script => ({
  welcome: 'serve',
  respond: (request) => goodResponse(mode, request),
});

/** Where the configuration says that the target is. Nothing ever listens on port 1, and no other test can be given it. */
export function addressOf({ address }: Fault): string | undefined {
  if (address === undefined) return undefined;
  return address === 'refused' ? 'https://127.0.0.1:1' : 'https://nowhere.invalid';
}

/** From now on everything is in order. */
export function heal(upstreams: readonly FaultServer[], mode: Mode): void {
  for (const upstream of upstreams) upstream.script = healthy(mode);
}
