import type { Tokens } from '../domain/bill.ts';
import { type Cost, costOfImages, costOfTokens } from '../domain/cost.ts';
import type { ImageFacts } from '../domain/image-event.ts';
import type { PriceList } from '../domain/price.ts';

/** What one paid call has made. */
export type Billed = {
  readonly images: number;
  /** Size and quality as the upstream told them, or as they were asked for. */
  readonly facts: ImageFacts;
  readonly tokens: Tokens | undefined;
};

/** What that costs; `undefined` where a price is missing that is needed, or a fact. Nothing is guessed. */
export function costOf(price: PriceList, { images, facts, tokens }: Billed): Cost | undefined {
  if (price.images === undefined) return tokens && tokensCost(price, tokens);
  const each = pricePerImage(price, facts);
  return each === undefined ? undefined : costOfImages(each, images);
}

/** The price of an image, where images have one, and it is known for these. */
function pricePerImage({ images = [] }: PriceList, { size, quality }: ImageFacts): number | undefined {
  const first = images.find((entry) => mayBe(entry.size, size) && mayBe(entry.quality, quality));
  // Where a fact is not known that this entry asks for, it may be this one or a later one.
  const isSure = (first?.size ?? size) === size && (first?.quality ?? quality) === quality;
  return isSure ? first?.price : undefined;
}

/** The price of an image, where it is the same for all of them. */
export function flatPrice({ images: [first] = [] }: PriceList): number | undefined {
  return first?.size === undefined && first?.quality === undefined ? first?.price : undefined;
}

function mayBe(wanted: string | undefined, fact: string | undefined): boolean {
  return wanted === undefined || fact === undefined || wanted === fact;
}

function tokensCost(price: PriceList, tokens: Tokens): Cost | undefined {
  const { textIn, imageIn, cachedIn, textOut, imageOut } = tokens;
  const cachedText = cachedTextAmong(tokens);
  if (cachedText === undefined) return undefined;
  const cachedImage = cachedIn - cachedText;
  const parts: [number | undefined, number][] = [
    [price.textIn, textIn - cachedText],
    [price.imageIn, imageIn - cachedImage],
    [price.cachedTextIn, cachedText],
    [price.cachedImageIn, cachedImage],
    [price.textOut, textOut],
    [price.imageOut, imageOut],
  ];
  let sum = 0n;
  for (const [each, count] of parts) {
    if (count === 0) continue;
    if (each === undefined) return undefined;
    sum += costOfTokens(each, count);
  }
  return sum;
}

/** Upstreams tell how many tokens they had read before, but not of which kind these were. */
function cachedTextAmong({ textIn, imageIn, cachedIn }: Tokens): number | undefined {
  if (cachedIn === 0 || textIn === 0) return 0;
  if (imageIn === 0) return cachedIn;
  return cachedIn === textIn + imageIn ? textIn : undefined;
}
