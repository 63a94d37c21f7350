/** What the upstream says about the pictures of one answer; each value is passed on as it came. */
export type ImageFacts = {
  readonly size?: string;
  readonly quality?: string;
  readonly background?: string;
  readonly outputFormat?: string;
};

/** Token counts as the upstream reports them: a JSON object that is passed on member by member. */
export type ImageUsage = Readonly<Record<string, unknown>>;

/**
 * One token of an answer on its way through the gateway. A picture is `image`, any number of `bytes`, `image-end`;
 * pictures are never interleaved; `done` is the last token.
 */
export type ImageEvent =
  | { readonly type: 'image'; readonly index: number }
  /** A piece of the picture's file as base64 text without line breaks, cut anywhere. */
  | { readonly type: 'bytes'; readonly chunk: Buffer }
  | { readonly type: 'image-end'; readonly index: number; readonly revisedPrompt?: string }
  | { readonly type: 'url'; readonly index: number; readonly url: string; readonly revisedPrompt?: string }
  /** `created` in Unix seconds. */
  | { readonly type: 'done'; readonly created?: number; readonly usage?: ImageUsage; readonly facts?: ImageFacts };
