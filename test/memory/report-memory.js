// Plain JavaScript: to strip types Node loads a compiler, whose 20 MB would count as the gateway's.
// Loaded into a gateway process with --import. Responds to the message `peak` with the most memory that was in use, in
// bytes, since the last time; to the message `resident` with the most that the process has had of the machine.

function inUse() {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Unknown until requested: to know it takes many collections, without which a process would have more resident. */
/** @type {number | undefined} */
let peak;
let resident = process.memoryUsage.rss();
setInterval(() => {
  if (peak !== undefined) peak = Math.max(peak, inUse());
  resident = Math.max(resident, process.memoryUsage.rss());
}, 40).unref();

process.on('message', (message) => {
  if (message === 'resident') process.send?.(Math.max(resident, process.memoryUsage.rss()));
  if (message !== 'peak') return;
  process.send?.(Math.max(peak ?? 0, inUse()));
  peak = inUse();
});
// A listener for messages would keep the process alive.
process.channel?.unref();
