/** A deployment of the benchmark's upstream: its name says how it answers. */
export type Scenario = {
  /** `image`: base64 at once; `events`: three partials and a final; `link`: the address of a file. */
  readonly kind: 'image' | 'events' | 'link';
  /** Bytes of the image's file; `b64_json` holds four characters for three of them. */
  readonly bytes: number;
  /** What the upstream takes for its work, before the answer or between two events. */
  readonly delayMs: number;
};

export function scenarioName({ kind, bytes, delayMs }: Scenario): string {
  return `${kind}-${bytes}-${delayMs}`;
}

export function scenarioNamed(name: string): Scenario | undefined {
  const [, kind, bytes, delayMs] = /^(image|events|link)-(\d+)-(\d+)$/.exec(name) ?? [];
  if (kind === undefined) return undefined;
  return { kind: kind as Scenario['kind'], bytes: Number(bytes), delayMs: Number(delayMs) };
}

/** A base64 answer of about that many bytes, which is how the sizes of answers are given. */
export function answerOf(answerBytes: number, delayMs = 0): Scenario {
  return { kind: 'image', bytes: Math.floor((answerBytes * 3) / 4), delayMs };
}
