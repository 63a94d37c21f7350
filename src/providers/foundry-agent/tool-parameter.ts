/** Parameters of the Responses API that callers set by the same name. */
const topLevel = ['user', 'safety_identifier'];

/** What the operator has chosen; Azure's other surfaces say `model` when they do not accept such a thing. */
const operators = [
  'model',
  'tools',
  'tool_choice',
  'temperature',
  'top_p',
  'agent',
  'agent_reference',
  'store',
  'background',
  'stream',
];

/**
 * The caller's name for a parameter that the Responses API complains of; `model` for what only the operator can change,
 * `undefined` for what nobody has set.
 */
export function toolParameter(name: string): string | undefined {
  const [, option] = /^tools\[\d+\]\.(\w+)/.exec(name) ?? [];
  if (option === 'type') return 'model';
  if (option === 'input_image_mask') return 'mask';
  if (option !== undefined) return option;
  if (/^input\b.*image_url/.test(name)) return 'image';
  if (/^input\b/.test(name)) return 'prompt';
  if (operators.some((own) => name === own || name.startsWith(`${own}.`) || name.startsWith(`${own}[`))) return 'model';
  return topLevel.find((own) => name === own);
}

/** The same of an agent, whose tool the operator has defined: no caller has set an option of it. */
export function agentParameter(name: string): string | undefined {
  return name.startsWith('tools') ? 'model' : toolParameter(name);
}
