import type { ServerResponse } from 'node:http';

const lingerMs = 5_000;
const lingerBytes = 512 * 1024 * 1024;

/**
 * A lingering close, for a response that may be sent while its request is still arriving. A connection that is closed with
 * unread bytes is reset, and many clients would see the reset instead of the response; so the rest of the body is read and
 * thrown away for a moment, and only then the connection is closed.
 */
export function lingerBeforeClose(response: ServerResponse): void {
  const { req: request } = response;
  if (request.complete || request.destroyed) return;
  const { socket } = request;
  // With this Node ends a connection that is not kept, as soon as the response is on its way. Here it only says that no more
  // comes, so that what the client still sends can be read.
  socket.destroySoon = () => void socket.end();
  response.once('finish', () => {
    if (socket.destroyed) return;
    if (request.complete) {
      Reflect.deleteProperty(socket, 'destroySoon');
      if (socket.writableEnded) socket.destroySoon();
      return;
    }
    const end = performance.now() + lingerMs;
    const lastByte = socket.bytesRead + lingerBytes;
    // Whoever has read the body until now is still attached; a listener of `readable` would hold back the flow.
    request.unpipe();
    request.removeAllListeners('readable');
    // Node takes note of that a tick later, and stops a flow that has begun before.
    process.nextTick(() => request.resume());
    const check = () => {
      const isLate = performance.now() >= end || socket.bytesRead >= lastByte;
      if (!request.complete && !socket.destroyed && !isLate) return;
      clearInterval(timer);
      if (!request.complete || socket.writableEnded) socket.destroy();
      else Reflect.deleteProperty(socket, 'destroySoon');
    };
    const timer = setInterval(check, 50);
    // Comes with the end of the body. When the connection ends before that, Node does not tell the request.
    request.once('close', check);
  });
}
