import { z } from 'zod';
import { maxInputs } from '../domain/image-input.ts';
import { operations } from '../domain/image-request.ts';
import { type CapabilityOverrides, seedSupport } from '../domain/model-capabilities.ts';

// The same limits as for a request's parameters; an empty list says that there is no such parameter.
const words = z.array(z.string().min(1).max(64)).max(100);
const values = z
  .union([z.literal('any'), words], 'must be a list of values, or "any"')
  .exactOptional()
  .describe('Values that may be sent; "any" leaves it to the upstream, an empty list means no such parameter');
const size = z
  .string()
  .regex(/^(auto|WxH|[1-9]\d{1,4}x[1-9]\d{1,4})$/, 'must be a size such as 1024x1024, auto, or WxH');
const sizes = z
  .union([z.literal('any'), z.array(size).max(100)], 'must be a list of sizes, or "any"')
  .exactOptional()
  .describe('Sizes that may be sent; WxH stands for every size that newer GPT image models can make');
const count = z.int().min(1).max(10).exactOptional();
const flag = z.boolean().exactOptional();

/** What a deployment can do otherwise than its family: the members of ModelCapabilities that are given. */
export const capabilitiesSchema = z
  .strictObject({
    operations: z
      .array(z.enum(operations))
      .min(1)
      .exactOptional()
      .describe('What the deployment can do: generate images, edit images'),
    promptCharacters: z.int().min(1).max(1_000_000).exactOptional().describe('The longest prompt'),
    maxCount: count.describe('Images that one call makes; more are made by several calls'),
    streams: flag.describe('Whether the deployment can answer with a stream of events'),
    maxStreamedCount: count.describe('Images that one streamed call makes'),
    sizes,
    qualities: values,
    backgrounds: values,
    outputFormats: values,
    compressionFormats: values,
    moderations: values,
    styles: values,
    inputFidelities: values,
    maxInputs: z.int().min(1).max(maxInputs).exactOptional().describe('Images that one edit takes'),
    markup: flag.describe('Whether an edit takes markup, a drawing over its first image'),
    responseFormats: z
      .array(z.enum(['url', 'b64_json']))
      .exactOptional()
      .describe('Values of response_format; an empty list where the deployment refuses that parameter'),
    seed: z.enum(seedSupport).exactOptional().describe('Whether seed is forwarded; undocumented: unless strict'),
    extraParameters: flag.describe('Whether parameters that the gateway does not know are forwarded'),
  })
  .describe('What this deployment can do otherwise than its family') satisfies z.ZodType<CapabilityOverrides>;
