import type { PriceList } from '../domain/price.ts';
import { undatedModel } from '../domain/undated-model.ts';

/** Prices that Azure publishes, of calls of the type Global Standard. */
export type PublishedPrices = PriceList & {
  /** Where Azure publishes them; they were read elsewhere, see {@link listPrices}. */
  readonly publishedAt: string;
};

const openAi = 'https://azure.microsoft.com/pricing/details/azure-openai/';
const blackForestLabs = 'https://azure.microsoft.com/pricing/details/ai-foundry-models/black-forest-labs/';
const retailPrices =
  "https://prices.azure.com/api/retail/prices?$filter=serviceName eq 'Foundry Models' and armRegionName eq 'eastus'";

const gptImage2: PublishedPrices = {
  textIn: 5,
  cachedTextIn: 1.25,
  imageIn: 8,
  cachedImageIn: 2,
  imageOut: 30,
  publishedAt: openAi,
};

/**
 * The list prices of Azure's image models in US dollars: of a million tokens, or of an image. Read on 2026-12-01, not on Azure's
 * pages but in the map of LiteLLM 1.110.2, which names the pages:
 * https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json. FLUX.2 is missing, because its price depends on
 * megapixels, and so are models that Azure has retired.
 */
export const listPrices: Readonly<Record<string, PublishedPrices>> = {
  'gpt-image-1-mini': {
    textIn: 2,
    cachedTextIn: 0.2,
    imageIn: 2.5,
    cachedImageIn: 0.25,
    imageOut: 8,
    publishedAt: openAi,
  },
  'gpt-image-1.5': { ...gptImage2, textOut: 10, imageOut: 32 },
  'gpt-image-2': gptImage2,
  'gpt-image-2.5-flare': gptImage2,
  'gpt-image-2.5-sunburst': gptImage2,
  'mai-image-2.6': { textIn: 5, imageIn: 8, imageOut: 38, publishedAt: retailPrices },
  'mai-image-2.6-flash': { textIn: 1.75, imageIn: 2.5, imageOut: 19, publishedAt: retailPrices },
  'flux-1.1-pro': { images: [{ price: 0.04 }], publishedAt: blackForestLabs },
  'flux.1-kontext-pro': { images: [{ price: 0.04 }], publishedAt: blackForestLabs },
};

const byModel = new Map(Object.entries(listPrices));

/** What Azure publishes of a model, as prices of the models file. */
export function listPriceOf(model: string): PriceList | undefined {
  const published = byModel.get(undatedModel(model));
  if (published === undefined) return undefined;
  const { publishedAt: _, ...prices } = published;
  return prices;
}
