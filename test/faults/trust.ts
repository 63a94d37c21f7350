import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { certificate } from '../helpers/loopback-server.ts';

// The tests' own certificate is trusted like any public one; nothing is told to accept what it does not trust.
setDefaultCACertificates([...getCACertificates(), certificate.cert.toString()]);
