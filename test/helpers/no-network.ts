import nock from 'nock';

// Tripwire: a test that forgets to mock must fail instead of calling a real service. Loopback stays open,
// because most tests talk to real servers of their own.
nock.disableNetConnect();
nock.enableNetConnect((host) => /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(host));
