import type { ErrorKind } from '../../domain/gateway-error.ts';
import type { ErrorResponseHead, ForwardedFault } from '../../upstream/azure-pass-through.ts';
import { factsOfResponse, meaningOf } from './azure-error.ts';
import type { AzureErrorFacts } from './azure-error-facts.ts';

const seeLog = 'The gateway’s operator can see why in the log. Nothing was billed.';

/** What clients are told in the place of Azure's error, which is not theirs to mend. */
const messages: Readonly<Partial<Record<ErrorKind, string>>> = {
  upstream_auth_failed: `Azure did not accept the gateway’s credential. ${seeLog}`,
  upstream_token_refused: 'Azure did not accept the gateway’s token, which is replaced now. Nothing was billed.',
  upstream_blocked: `Azure is not available to the gateway at the moment. ${seeLog}`,
  upstream_misconfigured: `The gateway’s Azure resource cannot serve this request as it is set up. ${seeLog}`,
};

const noDeployment = `The gateway’s Azure resource has no such deployment: check the request's \`model\`. ${seeLog}`;
const noImageDeployment =
  'the image tool has no deployment: set `responses.imageModel` to a model whose deployment is in the same resource';

/**
 * Whether an error of a forwarded request is the operator's to mend: the credential, the network, the account, the address, or a
 * deployment that is not there. All others are about the request, and its client gets them as they are.
 */
export function forwardedFault(response: ErrorResponseHead): ForwardedFault {
  const facts = factsOfResponse(response);
  const meaning = meaningOf(facts);
  const message = messages[meaning.kind];
  const isOperators = message !== undefined && (meaning.kind !== 'upstream_misconfigured' || isSetUp(facts));
  if (!isOperators) return { code: facts.told.code };
  if (isImageDeployment(facts)) return { failure: meaning.with({ hint: noImageDeployment }, message) };
  return { failure: meaning.with({}, isDeployment(facts) ? noDeployment : message) };
}

/** Of what would be a mistake in the configuration for an image call, most is the client's here: it names the model. */
function isSetUp(facts: AzureErrorFacts): boolean {
  const { status = 0, message } = facts;
  const isRedirect = status >= 300 && status < 400;
  const isWrongAddress = status === 404 && /^Resource not found\b/i.test(message);
  return isRedirect || status === 402 || isWrongAddress || isDeployment(facts) || isImageDeployment(facts);
}

function isDeployment({ status, codes }: AzureErrorFacts): boolean {
  return status === 404 && codes.includes('deploymentnotfound');
}

function isImageDeployment({ message }: AzureErrorFacts): boolean {
  return /^imagegen deployment must be provided\b/i.test(message);
}
