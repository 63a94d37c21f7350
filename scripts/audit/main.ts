import { type Advisories, askForAdvisories, isSevere } from './advisories.ts';
import { allowedLicences, isAllowed, type LicencedPackage, productionPackages } from './licences.ts';

// `npm run audit`: the licences of all packages of production, and the advisories that npm's registry knows about them.
// Ends with 1 for a licence that is not allowed or an advisory that is high or critical, and with 2 when the registry
// could not be asked.
const directory = process.cwd();
const isLicenced = reportLicences(productionPackages(directory));
const outcome = reportAdvisories(askForAdvisories(directory));
process.exitCode = !isLicenced || outcome === 'severe' ? 1 : outcome === 'unavailable' ? 2 : 0;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

function reportLicences(packages: readonly LicencedPackage[]): boolean {
  const byLicence = Map.groupBy(packages, ({ licence }) => licence ?? 'none');
  say(`Licences of ${packages.length} packages of production:`);
  for (const [licence, list] of [...byLicence].sort()) {
    say(`  ${licence}: ${list.map(({ name, version }) => `${name}@${version}`).join(', ')}`);
  }
  const refused = packages.filter(({ licence }) => !isAllowed(licence));
  for (const { name, version, licence } of refused) {
    say(
      `NOT ALLOWED: ${name}@${version} has the licence ${licence ?? 'none'}; allowed are ${allowedLicences.join(', ')}.`,
    );
  }
  return refused.length === 0;
}

function reportAdvisories(advisories: Advisories): 'severe' | 'harmless' | 'unavailable' {
  if ('unavailable' in advisories) {
    say(`Advisories were NOT checked: the registry could not be asked (${advisories.unavailable}).`);
    return 'unavailable';
  }
  const { known } = advisories;
  say(known.length === 0 ? 'No advisories.' : `${known.length} advisories:`);
  for (const { severity, title, url, path } of known) say(`  ${severity}: ${path.join(' > ')}: ${title} (${url})`);
  return known.some(isSevere) ? 'severe' : 'harmless';
}
