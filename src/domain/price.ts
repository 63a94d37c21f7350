/** What an upstream bills, as its operator has written it: for tokens, or for images. What is left out is not known. */
export type PriceList = {
  /** Of a million tokens each. */
  readonly textIn?: number;
  readonly imageIn?: number;
  readonly cachedTextIn?: number;
  readonly cachedImageIn?: number;
  readonly textOut?: number;
  readonly imageOut?: number;
  /** Of one image: the first entry counts that fits what was made. */
  readonly images?: readonly ImagePrice[];
};

export type ImagePrice = {
  /** Without it, the entry is for every size. */
  readonly size?: string;
  readonly quality?: string;
  readonly price: number;
};

export type Price = PriceList & {
  /** The code of the currency, such as `USD`. */
  readonly currency: string;
  /** It is the list price, which the operator's contract may undercut. */
  readonly isEstimate?: boolean;
};
