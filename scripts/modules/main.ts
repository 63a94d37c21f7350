import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { problemsIn } from './check-modules.ts';

// Refuses what breaks the rules of rules.ts. Import cycles are Biome's to find.

const files = ['src', 'simulator'].flatMap((folder) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name)),
);
const problems = problemsIn(new Map(files.map((file) => [file, readFileSync(file, 'utf8')])));
for (const problem of problems) process.stderr.write(`${problem}\n`);
if (problems.length > 0) process.exitCode = 1;
