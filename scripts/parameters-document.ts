import { writeFileSync } from 'node:fs';
import { parameterPolicies } from '../src/domain/parameter-policy.ts';
import { adaptations } from '../src/parameters/adaptations.ts';
import { conflicts } from '../src/parameters/conflicts.ts';
import { agentFamily, type ModelFamily, modelFamilies, unknownFamily } from '../src/parameters/model-families.ts';
import { type ParameterSample, samplesFor } from '../src/parameters/parameter-samples.ts';
import { pixelRule } from '../src/parameters/values.ts';
import { type Fate, fateOf } from './sample-fate.ts';

/** `docs/parameters.md`: what each family does with each parameter under each policy, tried out on samples. */
export function parametersDocument(): string {
  const families = [...Map.groupBy([...modelFamilies, unknownFamily, agentFamily], abilities).values()];
  return [introduction, adaptationTable(), conflictTable(), ...families.map(familySection)].join('\n');
}

const introduction = `# Parameters

<!-- Generated from the tables in src/parameters by \`npm run docs\`. Do not edit. -->

A target's \`model\` names its family by the longest prefix below, in upper or lower case. A model's \`parameters\` says
what happens to what the family does not do:

* \`adapt\` (the default): what the gateway can satisfy itself is satisfied and reported in \`x-gateway-adapted\`; the rest
  is refused with a 400 that names the parameter.
* \`strict\`: everything that the family does not do is refused.
* \`pass\`: everything is forwarded as it is, and Azure decides. Only what the gateway itself could not answer is refused.

An agent of a Foundry project takes no parameters: its definition decides size, quality and the like. What a caller asks
for is then told to the agent in the prompt (\`adapt\`, and \`pass\`, as nothing can be forwarded), and reported as
\`size=prompt\` and so on: a wish, which the agent may or may not grant. \`strict\` refuses it with a 400 that says that the
agent decides. A mask is sent to it as a further image. A chat deployment in the place of the agent takes all parameters.

Nothing is dropped or clamped silently. Under \`adapt\` and \`strict\` a value that is what the family does anyway is left out
of the call before anything else is looked at, so it conflicts with nothing, and it is not reported. That is the family's
default (\`response_format: b64_json\` of GPT image models), what it cannot do otherwise (\`input_fidelity: high\` of gpt-image-2,
\`output_compression: 100\` with \`png\`), and \`auto\` where the family does not know the word.
The operator's \`defaults\` yield to what the caller says; see [configuration.md](configuration.md#defaults).
\`response_format\` is sent only where it is understood; what comes otherwise is converted.
What a single deployment can do otherwise is said by \`capabilities\` of its target, for example
\`"capabilities": { "outputFormats": ["png", "jpeg", "webp"], "compressionFormats": ["jpeg", "webp"] }\`. There a list holds
the values that may be sent, \`[]\` means that there is no such parameter, and \`"any"\` leaves it to Azure. Among sizes, \`WxH\`
stands for ${pixelRule}.
`;

function adaptationTable(): string {
  const rows = adaptations.map(({ name, meaning }) => `| \`${name}\` | ${meaning} |`);
  return `## Adaptations\n\nThe whole list:\n\n| \`x-gateway-adapted\` | What it means |\n|---|---|\n${lines(rows)}`;
}

function conflictTable(): string {
  const rows = conflicts.map(
    ({ names, policies, reason }) => `| ${names.map(code).join(' and ')} | ${policies.join(', ')} | ${reason} |`,
  );
  return `## Conflicts\n\nParameters that cannot be combined. They are looked for before the parameters one by one, and the error names both. A value that is left out is in no conflict.\n\n| Parameters | Under | Why |\n|---|---|---|\n${lines(rows)}`;
}

function familySection(families: readonly ModelFamily[]): string {
  const [family = unknownFamily] = families;
  const rows = [...Map.groupBy(samplesFor(family), ({ parameter }) => parameter)].map(([parameter, samples]) => {
    const cells = parameterPolicies.map((policy) => cell(samples, (sample) => fateOf(sample, { family, policy })));
    return `| \`${parameter}\` | ${cells.join(' | ')} |`;
  });
  const longest = `${family.promptCharacters} characters`;
  const prompt = `| \`prompt\` | ${longest} | ${longest} | ${family.agentDecides ? longest : 'sent'} |`;
  const head = `| Parameter | ${parameterPolicies.map(code).join(' | ')} |\n|---|---|---|---|`;
  return `## ${families.map(({ name }) => name).join(', ')}\n\n${head}\n${lines([prompt, ...rows])}`;
}

function cell(samples: readonly ParameterSample[], fate: (sample: ParameterSample) => Fate): string {
  const byFate = Map.groupBy(samples, (sample) => describe(fate(sample)));
  if (byFate.size === 1) return [...byFate.keys()].join();
  const outcomes = [...byFate].toSorted(([one], [other]) => rank(one) - rank(other));
  return outcomes.map(([how, some]) => `${how}: ${some.map(({ value }) => value).join(', ')}`).join('; ');
}

/** What is sent stands first, what is refused last. */
function rank(outcome: string): number {
  const order = ['sent', 'default', 'refused'];
  return order.includes(outcome) ? order.indexOf(outcome) : 1.5;
}

function describe(fate: Fate): string {
  return fate.how === 'adapted' ? fate.adaptations.map(code).join(' ') : fate.how;
}

/** Equal for families that differ by name only. */
function abilities({ name: _, ...capabilities }: ModelFamily): string {
  return JSON.stringify(capabilities);
}

function code(text: string): string {
  return `\`${text}\``;
}

function lines(rows: readonly string[]): string {
  return rows.map((row) => `${row}\n`).join('');
}

// Run as a program (`npm run docs`) this file writes the document; it stands last, where every constant has its value.
if (import.meta.main) {
  writeFileSync(new URL('../docs/parameters.md', import.meta.url), parametersDocument());
}
