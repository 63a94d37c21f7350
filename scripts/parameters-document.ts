import { writeFileSync } from 'node:fs';
import { parameterPolicies } from '../src/domain/parameter-policy.ts';
import { adaptations } from '../src/parameters/adaptations.ts';
import { agentFamily, type ModelFamily, modelFamilies, unknownFamily } from '../src/parameters/model-families.ts';
import { conflicts } from '../src/parameters/parameter-rules.ts';
import { type ParameterSample, samplesFor } from '../src/parameters/parameter-samples.ts';
import { anySizeWithinRule, sizeRuleInWords } from '../src/parameters/size-rules.ts';
import { type Fate, fateOf } from './sample-fate.ts';

/** `docs/parameters.md`: what each family does with each parameter under each policy, found by running samples. */
export function parametersDocument(): string {
  const families = [...Map.groupBy([...modelFamilies, unknownFamily, agentFamily], abilities).values()];
  return [introduction, formats, adaptationTable(), conflictTable(), ...families.map(familySection)].join('\n');
}

const introduction = `# Parameters

<!-- Generated from the tables in src/parameters by \`npm run docs\`. Do not edit. -->

A target's \`model\` names its family by the longest prefix below, in upper or lower case. A model's \`parameters\` decides
what happens to a parameter that the family does not take:

* \`adapt\` (the default): the gateway satisfies what it can, and reports it in \`x-gateway-adapted\`. The rest is refused with
  a 400 that names the parameter.
* \`strict\`: every parameter that the family does not take is refused.
* \`pass\`: everything is forwarded as it is, and Azure decides. Only what the gateway itself could not deliver is refused.

Nothing is dropped or clamped silently.

**Defaults of the family.** Under \`adapt\` and \`strict\`, a value that the family uses anyway is left out of the call before
anything else is checked. It conflicts with nothing, and is not reported. This is true of the family's default
(\`response_format: b64_json\` of GPT image models), of what it cannot do otherwise (\`input_fidelity: high\` of gpt-image-2,
\`output_compression: 100\` with \`png\`), and of \`auto\` where the family does not have that value.

**Defaults of the operator** yield to what the caller says; see [configuration.md](configuration.md#defaults).

**\`response_format\`** is sent only where the family takes it. The gateway converts images that come in the other form.

**Agents** of a Foundry project take no parameters: their definition decides size, quality and the like. Under \`adapt\` and
\`pass\` the gateway adds what the caller asks for to the prompt, and reports it as \`size=prompt\` and so on. The agent may or
may not follow. \`strict\` refuses it with a 400 that says that the agent decides. A mask is sent as a further image. A chat
deployment in place of the agent takes all parameters.

**MAI-Image and FLUX** behind the providers \`mai\` and \`flux\` have APIs of their own, which ignore some parameters without a word.
So nothing is forwarded to them as it came, and \`pass\` is \`adapt\` there.

**Overrides.** \`capabilities\` of a target say what a single deployment takes, for example
\`"capabilities": { "outputFormats": ["png", "jpeg", "webp"], "compressionFormats": ["jpeg", "webp"] }\`. A list holds
the values that may be sent, \`[]\` means that there is no such parameter, and \`"any"\` leaves it to Azure. Among sizes, \`WxH\`
stands for ${sizeRuleInWords(anySizeWithinRule)}.
`;

const formats = `## Formats

Under \`adapt\` the gateway converts what a family lacks, if the optional package \`sharp\` is installed; without it, the request
is a 400 that says so.

* **Images that are made.** For an \`output_format\` of \`png\`, \`jpeg\` or \`webp\` that the family does not make, it is asked for
  PNG, else for JPEG, and the images are converted, partial ones too. \`output_compression\` is then the quality of the converted
  image, 100 without it, and is not sent; so it is where the family makes the format but cannot compress it.
  \`background: transparent\` with \`jpeg\` is made as PNG, and its transparent pixels become white. Links to converted images are
  always the gateway's own. Nothing is converted to \`gif\` or \`svg\`.
* **Images of an edit.** WebP and GIF become PNG, or JPEG if a PNG would be longer than an image may be; HEIC and AVIF become JPEG.
  Whatever has transparency becomes PNG. They are turned upright, are in sRGB afterwards, and lose their metadata; HEIC with a wider
  colour space looks a little paler. Animated ones are refused, because their frames would be lost, and so is what the decoder finds
  damaged; nothing is paid for then. Where another target takes an image as it is, the request goes there. HEIC also needs the
  optional package \`heic-decode\`. A mask or markup is always PNG, and as large as the image is upright.

Two images are converted at once, one HEIC among them; the others wait, on disk above 1 MiB. Images of more than 50 megapixels, and
WebP with an edge beyond 16383 pixels, are refused before they are paid for. An image that Azure has made and that cannot be decoded
was paid for: a 502 whose outcome is unknown, and no retry; a partial one is left out.
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
