import { spawnSync } from 'node:child_process';

const severities = ['critical', 'high', 'moderate', 'low', 'info'] as const;

type Severity = (typeof severities)[number];

export type Advisory = {
  readonly severity: Severity;
  readonly package: string;
  readonly title: string;
  readonly url: string;
  /** From one of our own dependencies to the package. */
  readonly path: readonly string[];
};

/** What npm's registry knows, the worst first; or why it could not be asked. */
export type Advisories = { readonly known: readonly Advisory[] } | { readonly unavailable: string };

type Via = string | { readonly severity: Severity; readonly title: string; readonly url: string };
type Vulnerability = {
  readonly name: string;
  readonly isDirect: boolean;
  readonly via: readonly Via[];
  /** Packages that have it only because they depend on this one. */
  readonly effects: readonly string[];
};
type Report = {
  readonly vulnerabilities?: Readonly<Record<string, Vulnerability>>;
  readonly message?: string;
  readonly error?: { readonly summary?: string };
};

/** Asks npm's registry about the packages of production in this directory. */
export function askForAdvisories(directory: string): Advisories {
  const options = { cwd: directory, encoding: 'utf8', timeout: 120_000 } as const;
  const { stdout, error } = spawnSync('npm', ['audit', '--omit=dev', '--json'], options);
  return error ? { unavailable: error.message } : readReport(stdout);
}

/** Reads what `npm audit --json` prints. */
export function readReport(text: string): Advisories {
  let report: Report;
  try {
    report = JSON.parse(text) as Report;
  } catch {
    return { unavailable: 'npm audit printed no report' };
  }
  const { vulnerabilities, message, error } = report;
  if (vulnerabilities === undefined) return { unavailable: error?.summary || message || 'npm audit gave no reason' };
  const known = Object.values(vulnerabilities).flatMap((vulnerability) =>
    vulnerability.via
      // A name alone leads to another entry, where the advisory stands.
      .filter((via) => typeof via !== 'string')
      .map(({ severity, title, url }) => {
        return { severity, package: vulnerability.name, title, url, path: pathTo(vulnerability, vulnerabilities) };
      }),
  );
  return { known: known.sort((one, other) => severities.indexOf(one.severity) - severities.indexOf(other.severity)) };
}

function pathTo(vulnerability: Vulnerability, all: Readonly<Record<string, Vulnerability>>): string[] {
  const path = [vulnerability.name];
  for (let at = vulnerability; !at.isDirect; ) {
    const next = at.effects.map((name) => all[name]).find((one) => one !== undefined && !path.includes(one.name));
    if (next === undefined) return path;
    path.unshift(next.name);
    at = next;
  }
  return path;
}

export function isSevere({ severity }: Advisory): boolean {
  return severity === 'critical' || severity === 'high';
}
