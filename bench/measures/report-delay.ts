// Loaded into the gateway with --import: responds to the message `delay` with the event loop's delays since the last time.
import { monitorEventLoopDelay } from 'node:perf_hooks';

const resolutionMs = 10;
const delays = monitorEventLoopDelay({ resolution: resolutionMs });
delays.enable();

/** What the histogram holds is the time between two ticks of its own timer. */
function beyond(nanoseconds: number): number {
  return Math.max(0, nanoseconds / 1e6 - resolutionMs);
}

process.on('message', (message) => {
  if (message !== 'delay') return;
  process.send?.({ p50: beyond(delays.percentile(50)), p99: beyond(delays.percentile(99)), max: beyond(delays.max) });
  delays.reset();
});
// A listener for messages would keep the process alive.
process.channel?.unref();
