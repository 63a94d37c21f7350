/**
 * Money in millionths of a millionth of the operator's currency, as a whole number: sums of any length are exact, because
 * a price has six decimals at most, and is one of a million tokens or of one image.
 */
export type Cost = bigint;

const millionths = 1_000_000n;
const unit = 1_000_000_000_000n;

/** A price can be counted with exactly. */
export function isExactPrice(price: number): boolean {
  const millionth = Math.round(price * 1e6);
  return Number.isSafeInteger(millionth) && millionth / 1e6 === price;
}

/** @param price of a million tokens, with six decimals at most */
export function costOfTokens(price: number, tokens: number): Cost {
  return inMillionths(price) * BigInt(tokens);
}

/** @param price of one image, with six decimals at most */
export function costOfImages(price: number, images: number): Cost {
  return inMillionths(price) * millionths * BigInt(images);
}

/** In whole units, for JSON and metrics: the nearest number that these can write. */
export function costAsNumber(cost: Cost): number {
  return Number(cost) / Number(unit);
}

/** In whole units, as decimal digits without an exponent: `0.0412`. */
export function costAsText(cost: Cost): string {
  const decimals = String(cost % unit)
    .padStart(12, '0')
    .replace(/0+$/, '');
  return `${cost / unit}${decimals === '' ? '' : `.${decimals}`}`;
}

function inMillionths(price: number): bigint {
  return BigInt(Math.round(price * 1e6));
}
