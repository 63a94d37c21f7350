import { describe, expect, onTestFinished, test } from 'vitest';
import { startSimulator } from '../../simulator/start-simulator.ts';
import { startProgram } from '../end-to-end/program.ts';
import { modelsFile } from '../end-to-end/rig.ts';
import { callGateway } from '../helpers/call-gateway.ts';

/** Makes the process say which packages of Azure's it loads. */
const tellLoaded = `data:text/javascript,${encodeURIComponent(`
  import { registerHooks } from 'node:module';
  registerHooks({ resolve(name, context, next) {
    if (name.startsWith('@azure/')) process.stderr.write('loads ' + name + String.fromCharCode(10));
    return next(name, context);
  } });
`)}`;
const nodeOptions = ['--import', tellLoaded];

const keyless = (origin: string) => ({
  models: {
    image: {
      provider: 'azure-v1',
      model: 'gpt-image-2',
      baseURL: origin,
      auth: { entra: { scope: 'https://cognitiveservices.azure.com/.default' } },
    },
  },
});
const secret = 'client-secret-canary';

describe('a process', () => {
  test('loads nothing of the identity package while all targets have keys', async () => {
    const program = await startProgram({ models: modelsFile('http://127.0.0.1:9'), nodeOptions });
    await program.listening();
    expect(program.output.stderr).not.toContain('loads @azure');
  });

  test('draws with the identity that its environment gives it', async () => {
    const simulator = await startSimulator();
    onTestFinished(() => simulator.close());
    const env = {
      IDENTITY_ENDPOINT: `${simulator.origin}/msi/token`,
      IDENTITY_HEADER: simulator.identityHeader,
      AZURE_TOKEN_CREDENTIALS: 'prod',
    };
    const program = await startProgram({ models: keyless(simulator.origin), env, nodeOptions });
    const headers = { authorization: 'Bearer program-key' };
    const { status, json } = await callGateway(
      await program.listening(),
      { model: 'image', prompt: 'a cat' },
      { headers },
    );
    expect([status, json().data.length]).toEqual([200, 1]);
    expect(simulator.tokens.issued).toBe(1);
    expect(program.output.stderr).toContain('loads @azure/identity');
  });

  test.each<[string, Record<string, string>, string[]]>([
    ['a secret without its owner', { AZURE_CLIENT_SECRET: secret }, ['AZURE_TENANT_ID', 'AZURE_CLIENT_ID']],
    [
      'a federated token without a tenant',
      { AZURE_FEDERATED_TOKEN_FILE: '/nowhere', AZURE_CLIENT_ID: 'me' },
      ['AZURE_TENANT_ID', 'AZURE_FEDERATED_TOKEN_FILE'],
    ],
    ['a kind of credential that does not exist', { AZURE_TOKEN_CREDENTIALS: 'magic' }, ['AZURE_TOKEN_CREDENTIALS']],
  ])('does not start with %s, also to check it', async (_, env, expected) => {
    for (const more of [[], ['--check']]) {
      const program = await startProgram({ models: keyless('http://127.0.0.1:9'), env, arguments: more });
      expect(await program.exited).toBe(1);
      for (const words of expected) expect(program.output.stderr).toContain(words);
      expect(program.output.stderr).not.toContain(secret);
    }
  });

  test('starts while nobody gives it a token: that is for later', async () => {
    const env = {
      IDENTITY_ENDPOINT: 'http://127.0.0.1:9/msi/token',
      IDENTITY_HEADER: 'x',
      AZURE_TOKEN_CREDENTIALS: 'ManagedIdentityCredential',
    };
    const program = await startProgram({ models: keyless('http://127.0.0.1:9'), env });
    const url = await program.listening();
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    program.child.kill('SIGINT');
    expect(await program.exited).toBe(0);
  });
});
