import type { Answer, FaultServer, Script } from './fault-server.ts';
import { answerIn, goodAnswer, type Mode } from './modes.ts';
import { isPaidCall, type Request } from './read-requests.ts';
import { type Fault, toldIn } from './table/fault.ts';

/** A fault, for as many requests of each kind as it lasts. */
export function scriptOf(fault: Fault, mode: Mode): Script {
  const { welcome = 'serve', play, times = Number.POSITIVE_INFINITY } = fault;
  return {
    welcome,
    answer(request: Request, index: number): Answer {
      if (play === undefined || index >= times) return goodAnswer(mode, request);
      const faulty = play(mode, request.headers.host ?? '', index, request);
      const isPaid = isPaidCall(request) && toldIn(fault, mode).accepted > 0;
      const isReplaced = faulty.post !== undefined && times < Number.POSITIVE_INFINITY;
      const isBilled = isPaid && !isReplaced;
      return { steps: answerIn(mode, request, faulty), isBilled };
    },
  };
}

export const healthy = (mode: Mode): Script => ({
  welcome: 'serve',
  answer: (request) => goodAnswer(mode, request),
});

/** Where the gateway is told to find the target. Nothing ever listens on port 1, and no other test can be given it. */
export function addressOf({ address }: Fault): string | undefined {
  if (address === undefined) return undefined;
  return address === 'refused' ? 'https://127.0.0.1:1' : 'https://nowhere.invalid';
}

/** From now on everything is in order. */
export function heal(upstreams: readonly FaultServer[], mode: Mode): void {
  for (const upstream of upstreams) upstream.script = healthy(mode);
}
