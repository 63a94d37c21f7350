import type { Bill, KnownCost, Tokens } from '../domain/bill.ts';
import { type Cost, costOfImages, costOfTokens } from '../domain/cost.ts';
import type { GatewayError } from '../domain/gateway-error.ts';
import type { ImageFacts, ImageUsage } from '../domain/image-event.ts';
import type { Attempt } from '../domain/image-provider.ts';
import type { ImageRequest } from '../domain/image-request.ts';
import type { PriceList } from '../domain/price.ts';
import type { AttemptEnd } from '../domain/recorder.ts';
import type { Target } from '../targets/model-catalog.ts';
import { isChatBilled, isContentRefusal } from '../targets/outcome.ts';
import type { Made } from './call-events.ts';

/** What is known of a paid call, so far. */
export type PaidCall = {
  readonly target: Pick<Target, 'price' | 'family'>;
  /** What the upstream was asked for. */
  readonly request: ImageRequest;
  readonly attempt: Attempt;
  /** How it failed, if it did. */
  readonly failure: AttemptEnd | undefined;
  readonly error: GatewayError | undefined;
  readonly made: Made | undefined;
};

/** What a call has cost, as far as its response has been read. */
export function billOf(call: PaidCall): Bill {
  const { target, request, attempt, made } = call;
  const { price } = target;
  const currency = price?.currency;
  const nothing = { cost: 0n, currency, isEstimate: false };
  if (made === undefined) return { ...nothing, mayBeMore: attempt.sent && !madeNothing(call) };
  if (price === undefined) return { ...nothing, cost: undefined, mayBeMore: false };
  const facts = { ...factOf('size', call), ...factOf('quality', call) };
  const billed = { images: made.images, facts, tokens: readTokens(made.usage, { isEdit: request.edit !== undefined }) };
  const cost = costOf(price, billed);
  return { cost, currency, mayBeMore: false, isEstimate: cost !== undefined && (price.isEstimate ?? false) };
}

/** Whether a call may be billed, or is. */
export function mayCost(call: PaidCall): boolean {
  const { cost, mayBeMore } = billOf(call);
  return mayBeMore || cost !== 0n;
}

/** What calls cost together, where the rest of their responses cannot change that. */
export function certainCostOf(calls: readonly PaidCall[]): KnownCost | undefined {
  const certain = calls.map((call) => {
    const bill = billOf(call);
    const cost = certainCost(call, bill);
    const isEstimate = cost !== undefined && cost > 0n && (call.target.price?.isEstimate ?? false);
    return { ...bill, cost, isEstimate };
  });
  const { cost, currency, isEstimate } = sumOfBills(certain);
  return cost === undefined || currency === undefined ? undefined : { cost, currency, isEstimate };
}

function certainCost(call: PaidCall, { cost, mayBeMore }: Bill): Cost | undefined {
  if (!mayBeMore) return cost;
  const { price } = call.target;
  if (call.failure !== undefined || price === undefined || call.request.count > 1) return undefined;
  const each = flatPrice(price);
  return each === undefined ? undefined : costOfImages(each, 1);
}

/** The bill of several calls: what is unknown of one is unknown of all. */
export function sumOfBills(bills: readonly Bill[]): Bill {
  return {
    cost: bills.reduce<Bill['cost']>(
      (sum, { cost }) => (sum !== undefined && cost !== undefined ? sum + cost : undefined),
      0n,
    ),
    currency: bills.find(({ currency }) => currency !== undefined)?.currency,
    mayBeMore: bills.some(({ mayBeMore }) => mayBeMore),
    isEstimate: bills.some(({ isEstimate }) => isEstimate),
  };
}

/** A refusal with a status of success may be one of an image that was made, and is billed. */
function madeNothing({ failure, error, attempt: { status = 0 } }: PaidCall): boolean {
  if (error && (isChatBilled(error.kind) || isContentRefusal(error.kind))) return false;
  if (failure === 'refused') return status >= 400;
  return failure === 'not-processed' || failure === 'failed';
}

/**
 * A fact as the upstream reported it, else as it was asked for, else what the upstream does by default; `auto` says that
 * somebody else chooses.
 */
function factOf(name: 'size' | 'quality', { target: { family }, request, made }: PaidCall): ImageFacts {
  const sources = family.agentDecides ? [made?.facts] : [made?.facts, request, family.defaults];
  const value = sources.map((source) => source?.[name]).find((found) => found !== undefined && found !== 'auto');
  return value === undefined ? {} : { [name]: value };
}

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
function flatPrice({ images: [first] = [] }: PriceList): number | undefined {
  return first?.size === undefined && first?.quality === undefined ? first?.price : undefined;
}

/** Whether an entry of a price list that asks for this may be the one that applies. */
export function mayBe(wanted: string | undefined, fact: string | undefined): boolean {
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

/**
 * The tokens that an upstream has counted; `undefined` where it does not say of which kind they were.
 * Without details, all tokens of a request without images are text, and those of a response are images.
 */
export function readTokens(usage: ImageUsage | undefined, { isEdit }: { isEdit: boolean }): Tokens | undefined {
  const asked = objectOf(usage?.input_tokens_details);
  const made = objectOf(usage?.output_tokens_details);
  const textIn = asked ? countOf(asked.text_tokens ?? 0) : isEdit ? undefined : countOf(usage?.input_tokens);
  const imageIn = countOf(asked?.image_tokens ?? 0);
  const cachedIn = countOf(asked?.cached_tokens ?? 0);
  const textOut = countOf(made?.text_tokens ?? 0);
  const imageOut = countOf(made ? made.image_tokens : usage?.output_tokens);
  if (textIn === undefined || imageIn === undefined || cachedIn === undefined) return undefined;
  if (textOut === undefined || imageOut === undefined || cachedIn > textIn + imageIn) return undefined;
  return { textIn, imageIn, cachedIn, textOut, imageOut };
}

function countOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function objectOf(value: unknown): ImageUsage | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as ImageUsage) : undefined;
}
