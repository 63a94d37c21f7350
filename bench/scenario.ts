/** A deployment of the benchmark's upstream: its name says how it responds. */
export type Scenario = {
  /** `image`: base64 at once; `png`: one that can be decoded; `events`: three partials and a final; `link`: the address of a file. */
  readonly kind: 'image' | 'png' | 'events' | 'link';
  /** Bytes of the image's file; `b64_json` holds four characters for three of them. */
  readonly bytes: number;
  /** What the upstream takes for its work, before the response or between two events. */
  readonly delayMs: number;
};

export function scenarioName({ kind, bytes, delayMs }: Scenario): string {
  return `${kind}-${bytes}-${delayMs}`;
}

export function scenarioNamed(name: string): Scenario | undefined {
  const [, kind, bytes, delayMs] = /^(image|png|events|link)-(\d+)-(\d+)$/.exec(name) ?? [];
  if (kind === undefined) return undefined;
  return { kind: kind as Scenario['kind'], bytes: Number(bytes), delayMs: Number(delayMs) };
}

/** A base64 response of about that many bytes: the sizes of responses are given so. */
export function responseOf(responseBytes: number, delayMs = 0): Scenario {
  return { kind: 'image', bytes: Math.floor((responseBytes * 3) / 4), delayMs };
}
