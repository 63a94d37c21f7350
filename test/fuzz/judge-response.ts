import { callerViews } from '../../src/http/error-response.ts';
import { problems } from '../http/openapi/schema-checker.ts';

const good = [200, 204, 206, 304];
const refused = Object.values(callerViews)
  .map(({ status }) => status)
  .filter((status) => status < 499);

type PlainResponse = {
  readonly status: number;
  readonly body: string;
  readonly type: string;
  /** An error in Azure's form, as its headers say. */
  readonly isAzures?: boolean;
};

/** What is wrong with a response, where Azure does nothing wrong; empty: nothing. */
export function judge({ status, body, type, isAzures = false }: PlainResponse, isHead = false): string {
  if (good.includes(status)) return isHead ? '' : judgeSuccess(body, type);
  if (!refused.includes(status)) return `the status ${status}: ${body.slice(0, 300)}`;
  if (isHead && body === '') return '';
  if (!type.startsWith('application/json')) return `an error as ${type}`;
  return problems(isAzures ? 'AzureError' : `Error${status}`, parsed(body));
}

function judgeSuccess(body: string, type: string): string {
  if (type.startsWith('application/json')) return parsed(body) === undefined ? 'a success that is no JSON' : '';
  if (type.startsWith('text/event-stream')) return body.endsWith('\n\n') ? '' : 'a stream that breaks off';
  return '';
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
