import { describe, expect, test } from 'vitest';
import { readJobsUrl } from '../../src/config/jobs-url.ts';
import { Secret } from '../../src/domain/secret.ts';

function read(text: string) {
  const problems: string[] = [];
  return { settings: readJobsUrl(text, (problem) => problems.push(problem)), problems };
}

describe('JOBS_URL', () => {
  test('names a database, its user and the password', () => {
    const { settings, problems } = read('postgres://gate%40way:p%2Fss@db.example.com/jobs');
    expect(problems).toEqual([]);
    expect(settings).toMatchObject({
      host: 'db.example.com',
      port: 5432,
      database: 'jobs',
      user: 'gate@way',
      isEncrypted: true,
      schema: undefined,
    });
    expect(JSON.stringify(settings)).not.toContain('p/ss');
    expect(settings?.password).toBeInstanceOf(Secret);
    expect((settings as { password: Secret }).password.expose()).toBe('p/ss');
  });

  test.each([
    ['postgres://u@127.0.0.1:6000/d', { isEncrypted: false, port: 6000, password: undefined }],
    ['postgresql://u@[::1]/d', { isEncrypted: false, host: '::1' }],
    ['postgres://u@127.0.0.1/d?sslmode=require', { isEncrypted: true }],
    ['postgres://u@postgres/d?sslmode=disable', { isEncrypted: false }],
    ['postgres://u@db.example.com/d?auth=entra', { password: 'entra', isEncrypted: true }],
    ['postgres://u@db.example.com/d?schema=gateway', { schema: 'gateway' }],
  ])('%s', (text, settings) => {
    expect(read(text)).toMatchObject({ settings, problems: [] });
  });

  test.each([
    ['mysql://u:secret@h/d', 'must look like postgres://user:password@host:5432/database'],
    ['not a URL', 'must look like'],
    ['postgres:///d', 'must look like'],
    ['postgres://h/d', 'the user is missing'],
    ['postgres://u:secret@h', 'the name of the database is missing'],
    ['postgres://u:secret@h/d/e', 'the name of the database is missing'],
    ['postgres://u:secret@h/d?ssl_mode=off', 'has an unknown parameter, did you mean `sslmode`?'],
    ['postgres://u:secret@h/d?sslmode=prefer', 'sslmode must be one of disable, require, verify-ca, verify-full'],
    ['postgres://u@h/d?auth=token', 'auth must be password or entra'],
    ['postgres://u:secret@h/d?auth=entra', 'must not hold a password with auth=entra'],
    ['postgres://u@h/d?auth=entra&sslmode=disable', 'auth=entra needs an encrypted connection'],
    ['postgres://u:secret@h/d?schema=A"b', 'schema must be 1 to 63 lower-case letters'],
  ])('%s is refused, without its password', (text, problem) => {
    const { problems } = read(text);
    expect(problems.join()).toContain(problem);
    expect(problems.join()).not.toContain('secret');
  });
});
