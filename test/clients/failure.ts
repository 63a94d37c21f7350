import { expect } from 'vitest';

/** What a call is rejected with; a call that succeeds fails the test. */
export async function failure(call: PromiseLike<unknown>): Promise<Error> {
  return Promise.resolve(call).then(
    () => expect.fail('the call succeeded'),
    (error: Error) => error,
  );
}
