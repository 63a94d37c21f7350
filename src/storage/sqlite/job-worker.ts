import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { JobDatabase, type JobDatabaseOptions, type Operation } from './job-database.ts';

// The thread that waits for the disk. What arrives during a transaction forms the next one, so that all share its fsync.

const database = new JobDatabase(workerData as JobDatabaseOptions);
const port = parentPort as NonNullable<typeof parentPort>;

port.on('message', (first: readonly Operation[] | 'close') => {
  const batch: Operation[] = [];
  for (let message = first; ; ) {
    if (message === 'close') return close(batch);
    batch.push(...message);
    const next = receiveMessageOnPort(port);
    if (next === undefined) break;
    message = next.message;
  }
  port.postMessage(database.run(batch));
});

function close(batch: readonly Operation[]): void {
  if (batch.length > 0) port.postMessage(database.run(batch));
  database.close();
  port.close();
}
