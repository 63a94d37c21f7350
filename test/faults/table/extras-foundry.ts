import { errorReply } from '../http-text.ts';
import { foundryModes } from '../modes.ts';
import { type Expected, expected } from './expected.ts';
import type { Fault } from './fault.ts';
import { atPost } from './playing.ts';

const refusal = (name: string, error: object, reported: Expected): Fault => ({
  name,
  modes: foundryModes,
  play: atPost(() => errorReply(400, { details: 'upstream-text-canary', ...error })),
  reported,
});

/** Codes of MAI-Image; those of FLUX are not documented, and may be the same. */
export const foundryExtras: readonly Fault[] = [
  refusal('content_safety_violation', { code: 'content_safety_violation' }, expected.contentRefused),
  refusal(
    'a value that is not supported',
    { code: 'unsupported_request_value', message: "The parameter 'prompt' is too long. upstream-text-canary" },
    { ...expected.valueRefused, param: 'prompt' },
  ),
];
