import type { ServerResponse } from 'node:http';

const lingerMs = 3_000;
const lingerBytes = 16 * 1024 * 1024;

/**
 * For an answer that may be given while its request is still arriving. A connection that is closed with unread bytes is
 * reset, and many callers would see the reset instead of the answer; so the rest of the body is read and thrown away, for
 * a moment or a few megabytes, and only then the connection is closed.
 */
export function discardUnread(response: ServerResponse): void {
  const { req: request } = response;
  if (request.complete) return;
  response.once('finish', () => {
    const { socket } = request;
    const end = performance.now() + lingerMs;
    const lastByte = socket.bytesRead + lingerBytes;
    request.unpipe();
    request.resume();
    const timer = setInterval(() => {
      if (!request.complete && performance.now() < end && socket.bytesRead < lastByte) return;
      clearInterval(timer);
      if (!request.complete) socket.destroy();
    }, 50);
    socket.once('close', () => clearInterval(timer));
  });
}
