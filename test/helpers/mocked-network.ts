import nock from 'nock';
import { afterAll } from 'vitest';

// Tripwire of the contract tests: a call that no mock expects fails instead of spending money. Loopback stays open for
// the gateway that is under test.
nock.disableNetConnect();
nock.enableNetConnect((host) => /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host));

// What one file has mocked is nothing for the next one.
afterAll(() => nock.cleanAll());
