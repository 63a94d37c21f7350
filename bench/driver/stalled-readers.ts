import type { Socket } from 'node:net';
import { type Call, nothing, type Report } from './call.ts';
import { openRawCall, statusOf } from './raw-call.ts';

let stalled: Socket[] = [];

/** Readers that stop reading when their response begins; they stay until {@link releaseReaders}. */
export async function stallReaders(call: Call, readers: number): Promise<Report> {
  const statuses = await Promise.all(Array.from({ length: readers }, () => stallReader(call)));
  return { ...nothing, mistakes: statuses.filter((status) => status !== 200).map((status) => `status ${status}`) };
}

async function stallReader(call: Call): Promise<number> {
  const socket = await openRawCall(call, Buffer.byteLength(call.body));
  stalled.push(socket);
  socket.write(call.body);
  const status = await statusOf(socket);
  socket.pause();
  return status;
}

export function releaseReaders(): void {
  for (const socket of stalled) socket.destroy();
  stalled = [];
}
