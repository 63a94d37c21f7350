import { z } from 'zod';
import { inputMediaTypes, maxInputs } from '../domain/image-input.ts';
import { operations } from '../domain/image-request.ts';
import { type CapabilityOverrides, seedSupport } from '../domain/model-capabilities.ts';

// The same limits as for a request's parameters; an empty list means that the parameter is not supported.
const words = z.array(z.string().min(1).max(64)).max(100);
const values = z
  .union([z.literal('any'), words], 'must be a list of values, or "any"')
  .exactOptional()
  .describe('Allowed values; "any" leaves the check to Azure, an empty list means that the parameter is not supported');
const size = z
  .string()
  .regex(/^(auto|WxH|[1-9]\d{1,4}x[1-9]\d{1,4})$/, 'must be a size such as 1024x1024, auto, or WxH');
const sizes = z
  .union([z.literal('any'), z.array(size).max(100)], 'must be a list of sizes, or "any"')
  .exactOptional()
  .describe('Allowed sizes; WxH allows every size of newer GPT image models');
const count = z.int().min(1).max(10).exactOptional();
const flag = z.boolean().exactOptional();

/** Where a deployment differs from its family. */
export const capabilitiesSchema = z
  .strictObject({
    operations: z
      .array(z.enum(operations))
      .min(1)
      .exactOptional()
      .describe('What the deployment can do: generate images, edit images'),
    promptCharacters: z.int().min(1).max(1_000_000).exactOptional().describe('Max length of the prompt, in characters'),
    maxCount: count.describe('Max images per call; more take several calls'),
    streams: flag.describe('Whether the deployment supports streaming'),
    maxStreamedCount: count.describe('Max images per streamed call'),
    sizes,
    qualities: values,
    backgrounds: values,
    outputFormats: values,
    compressionFormats: values,
    moderations: values,
    styles: values,
    inputFidelities: values,
    maxInputs: z.int().min(1).max(maxInputs).exactOptional().describe('Max input images of an edit'),
    mask: flag.describe('Whether edits support a mask'),
    inputTypes: z
      .array(z.enum(inputMediaTypes))
      .min(1)
      .exactOptional()
      .describe('Media types of the images of an edit; other ones are converted'),
    markup: flag.describe('Whether edits support markup, a drawing over the first image'),
    responseFormats: z
      .array(z.enum(['url', 'b64_json']))
      .exactOptional()
      .describe('Allowed values of response_format; an empty list means that the deployment refuses the parameter'),
    seed: z
      .enum(seedSupport)
      .exactOptional()
      .describe('Whether seed is forwarded; undocumented: unless `parameters` is strict'),
    endUsers: flag.describe('Whether user and safety_identifier are forwarded'),
    extraParameters: flag.describe('Whether unknown parameters are forwarded'),
  })
  .describe('Where this deployment differs from its family') satisfies z.ZodType<CapabilityOverrides>;
