import type { LogLine } from './log-lines.ts';

/** Fields that a line shows in words; all others follow as JSON. */
const ofEveryLine = ['level', 'time', 'pid', 'hostname', 'msg'];

/** One line of the log for a person at a terminal; time and level are written before it. */
export function prettyLine(line: LogLine): string {
  if (line.msg === 'request') return requestLine(line);
  if (line.msg === 'attempt') return attemptLine(line);
  return withRest([String(line.msg)], line, ofEveryLine);
}

const ofRequests = [
  ...['requestId', 'method', 'route', 'status', 'end', 'outcome', 'durationMs', 'model', 'target', 'provider'],
  ...['attempts', 'sent', 'adaptations', 'receiveMs', 'queueMs', 'upstreamMs', 'transferMs', 'count', 'images'],
  ...['cost', 'currency', 'costMayBeMore', 'bytesIn', 'bytesOut', 'promptLength', 'promptHash', 'key', 'client'],
];

/** `200 POST /v1/images/generations delivered in 4.2 s (upstream 4.1 s), azure-image at east, 1 image, 1.4 MB, 0.04 USD, …`. */
function requestLine(line: LogLine): string {
  const { status, method, route, end, outcome, durationMs, attempts, images, count, adaptations } = line;
  const hasGeneration = line.model !== undefined;
  const words = [
    `${status} ${method} ${route} ${outcome ?? end} in ${seconds(durationMs)}${steps(line)}`,
    ...(hasGeneration ? [`${line.model}${line.target === undefined ? '' : ` at ${line.target}`}`] : []),
    ...(Number(attempts) > 1 ? [`${attempts} calls`] : []),
    ...(hasGeneration ? [`${images} of ${count} ${count === 1 ? 'image' : 'images'}`] : []),
    ...(Number(line.bytesOut) > 0 ? [size(Number(line.bytesOut))] : []),
    ...cost(line),
    ...(Array.isArray(adaptations) && adaptations.length > 0 ? [adaptations.join(', ')] : []),
    `id ${line.requestId}`,
    ...client(line),
  ];
  // Azure's support needs this id to look into a failure.
  const ofSuccess = line.error === undefined ? ['upstreamRequestId'] : [];
  return withRest([words.join(', ')], line, [...ofEveryLine, ...ofRequests, ...ofSuccess]);
}

const ofAttempts = ['model', 'target', 'provider', 'outcome', 'sent', 'status', 'queueMs', 'upstreamMs', 'requestId'];
const ofBills = ['cost', 'currency', 'costMayBeMore'];

function attemptLine(line: LogLine): string {
  const words = [
    `  call of ${line.model} at ${line.target}: ${line.outcome}`,
    ...(line.sent ? [] : ['nothing sent']),
    ...(line.status === undefined ? [] : [`status ${line.status}`]),
    seconds(line.upstreamMs),
    ...cost(line),
    `id ${line.requestId}`,
  ];
  return withRest([words.join(', ')], line, [...ofEveryLine, ...ofAttempts, ...ofBills]);
}

function client({ key, client: address }: LogLine): string[] {
  const names = [...(key === undefined ? [] : [`${key}`]), ...(address === undefined ? [] : [`from ${address}`])];
  return names.length === 0 ? [] : [names.join(' ')];
}

/** The steps that took 10 ms or more. */
function steps(line: LogLine): string {
  const names = { receiveMs: 'arrival', queueMs: 'queue', upstreamMs: 'upstream', transferMs: 'transfer' };
  const shown = Object.entries(names).flatMap(([key, name]) =>
    Number(line[key] ?? 0) >= 10 ? [`${name} ${seconds(line[key])}`] : [],
  );
  return shown.length === 0 ? '' : ` (${shown.join(', ')})`;
}

function cost({ cost: known, currency, costMayBeMore }: LogLine): string[] {
  if (known === undefined) return [];
  const amount = known === null ? 'cost unknown' : `${known}${currency === undefined ? '' : ` ${currency}`}`;
  if (known === 0 && !costMayBeMore) return [];
  return [`${amount}${costMayBeMore ? ', may be more' : ''}`];
}

/** Appends the other fields as JSON, and a stack line by line. Control characters are escaped: a terminal would obey them. */
function withRest(words: string[], line: LogLine, inWords: readonly string[]): string {
  const rest = Object.fromEntries(Object.entries(line).filter(([name]) => !inWords.includes(name)));
  const hasDetails = typeof rest.error === 'object' && rest.error !== null;
  const { stack, ...facts } = (hasDetails ? rest.error : rest) as Record<string, unknown>;
  const others = hasDetails ? { ...rest, error: facts } : facts;
  const json = Object.keys(others).length === 0 ? [] : [JSON.stringify(others)];
  const trace = typeof stack === 'string' ? stack.split('\n').map((row) => `\n    ${printable(row)}`) : [];
  return [printable([...words, ...json].join(' ')), ...trace].join('');
}

const control = /[\p{Cc}\p{Cf}\u2028\u2029]/gu;

function printable(text: string): string {
  return text.replaceAll(control, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function seconds(ms: unknown): string {
  const value = Number(ms);
  return value < 1000 ? `${value} ms` : `${(value / 1000).toFixed(1)} s`;
}

function size(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(0)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
