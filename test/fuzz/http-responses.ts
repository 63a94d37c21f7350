export type HttpResponse = {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
};

export type Responses = {
  readonly responses: readonly HttpResponse[];
  /** What came behind the last whole response: the beginning of another one, or what is none. */
  readonly rest: string;
};

const head = /^HTTP\/1\.1 (\d{3})(?: [^\r\n]*)?\r\n((?:[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*\r\n)*)\r\n/;

/** The responses that stand one behind the other in the bytes of a connection, as latin1. Interim responses are left out. */
export function readResponses(text: string, mayBeHead: boolean): Responses {
  const responses: HttpResponse[] = [];
  let rest = text;
  for (;;) {
    const [whole, status = '', lines = ''] = head.exec(rest) ?? [];
    if (whole === undefined) return { responses, rest };
    const headers = new Map(
      lines
        .split('\r\n')
        .slice(0, -1)
        .map((line): [string, string] => [before(line).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const behind = rest.slice(whole.length);
    if (status.startsWith('1')) {
      rest = behind;
      continue;
    }
    const body = bodyOf(Number(status), headers, behind, mayBeHead);
    if (body === undefined) return { responses, rest };
    responses.push({ status: Number(status), headers, body: body.text });
    rest = behind.slice(body.length);
  }
}

const before = (line: string): string => line.slice(0, line.indexOf(':'));

type Body = { readonly text: string; readonly length: number };
const none: Body = { text: '', length: 0 };

/** `undefined`: it is not all there. */
function bodyOf(
  status: number,
  headers: ReadonlyMap<string, string>,
  behind: string,
  mayBeHead: boolean,
): Body | undefined {
  if (status === 204 || status === 304) return none;
  if (mayBeHead && (behind === '' || behind.startsWith('HTTP/1.1 '))) return none;
  if (headers.get('transfer-encoding') === 'chunked') return unchunked(behind);
  const length = Number(headers.get('content-length') ?? Number.NaN);
  // Without either it ends with its connection.
  if (Number.isNaN(length)) return { text: utf8(behind), length: behind.length };
  return behind.length < length ? undefined : { text: utf8(behind.slice(0, length)), length };
}

function unchunked(behind: string): Body | undefined {
  let text = '';
  for (let at = 0; ; ) {
    const lineEnd = behind.indexOf('\r\n', at);
    if (lineEnd === -1) return undefined;
    const size = Number.parseInt(behind.slice(at, lineEnd), 16);
    const end = lineEnd + 2 + size;
    if (behind.slice(end, end + 2) !== '\r\n') return undefined;
    if (size === 0) return { text: utf8(text), length: end + 2 };
    text += behind.slice(lineEnd + 2, end);
    at = end + 2;
  }
}

function utf8(latin1: string): string {
  return Buffer.from(latin1, 'latin1').toString();
}
