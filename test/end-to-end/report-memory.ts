// Loaded into a gateway process with --import: answers the message `peak` with the most memory that was in use, in
// bytes, since the last time it was asked.

function inUse(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

let peak = inUse();
setInterval(() => {
  peak = Math.max(peak, inUse());
}, 40).unref();

process.on('message', (message) => {
  if (message !== 'peak') return;
  process.send?.(Math.max(peak, inUse()));
  peak = inUse();
});
// A listener for messages would keep the process alive.
process.channel?.unref();
