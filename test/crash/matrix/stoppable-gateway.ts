import { readConfiguration } from '../../../src/cli/configuration.ts';
import { runGateway } from '../../../src/cli/run-gateway.ts';
import { describeStartFailure } from '../../../src/cli/start-failure.ts';
import { loadDotEnv } from '../../../src/config/environment.ts';
import type { Order, Report } from './phases.ts';
import { StopPoints } from './stop-points.ts';
import { openStoppable } from './stoppable-stores.ts';

// The gateway as `npm start` runs it, which its parent can stop at an exact step.

const points = new StopPoints();
process.on('message', (order: Order) => points.obey(order));
// The parent decides when it ends: the channel alone must not keep it alive.
process.channel?.unref();
// A parent that was killed cannot end it.
process.once('disconnect', () => process.exit(1));
try {
  const open = openStoppable(points, JSON.parse(process.argv[2] ?? '{}'));
  const url = await runGateway(readConfiguration(loadDotEnv()), { open });
  process.send?.({ url } satisfies Report);
} catch (error) {
  process.stderr.write(describeStartFailure(error));
  process.exitCode = 1;
}
