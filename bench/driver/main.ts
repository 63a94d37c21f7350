// The driver: makes the calls that contestants are measured with. A program of its own.
import type { Order, Report } from './call.ts';
import { closedLoop, openLoop } from './loads.ts';
import { sendEdits } from './send-edits.ts';
import { releaseReaders, stallReaders } from './stalled-readers.ts';

function carryOut(order: Order): Promise<Report> {
  releaseReaders();
  switch (order.kind) {
    case 'closed':
      return closedLoop(order.call, order);
    case 'open':
      return openLoop(order.call, order.perSecond, order.count);
    case 'stall':
      return stallReaders(order.call, order.readers);
    case 'edit':
      return sendEdits(order.call, order);
  }
}

process.on('message', async (order: Order) => process.send?.(await carryOut(order)));
process.once('disconnect', () => process.exit());
