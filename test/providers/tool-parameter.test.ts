import { describe, expect, test } from 'vitest';
import { azureErrorMember } from '../../src/providers/azure/azure-error.ts';
import { toolParameter } from '../../src/providers/foundry-agent/response-body.ts';

describe('a parameter that the Responses API complains of', () => {
  test.each([
    ['tools[0].size', 'size'],
    ['tools[0].partial_images', 'partial_images'],
    ['tools[0].input_image_mask.image_url', 'mask'],
    ['tools[0].input_image_mask', 'mask'],
    ['input', 'prompt'],
    ['input[0].content[0].text', 'prompt'],
    ['input[0].content[1].image_url', 'image'],
    ['user', 'user'],
    ['safety_identifier', 'safety_identifier'],
  ])('%s is the caller’s %s', (name, expected) => {
    expect(toolParameter(name)).toBe(expected);
  });

  test.each([
    'tools',
    'tools[0].type',
    'tool_choice',
    'tool_choice.type',
    'agent',
    'agent.name',
    'agent_reference',
    'model',
  ])('%s is the operator’s', (name) => {
    expect(toolParameter(name)).toBe('model');
  });

  test.each(['store', 'background', 'stream'])('top-level %s is not the caller’s parameter of that name', (name) => {
    expect(toolParameter(name)).toBe('model');
  });

  test.each(['metadata', 'inputs', 'toolset', 'users', ''])('%s is nobody’s', (name) => {
    expect(toolParameter(name)).toBeUndefined();
  });

  test('of a response that failed by itself is not held against the caller', () => {
    const error = { code: 'server_error', message: 'no', param: 'tools' };
    expect(azureErrorMember(error, toolParameter)).toMatchObject({
      kind: 'upstream_generation_failed',
      outcome: 'failed',
    });
  });
});
