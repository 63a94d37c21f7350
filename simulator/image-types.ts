/** What an input image may be: its media type, the endings of its file name, and how its bytes begin. */
export type ImageType = {
  readonly mediaType: string;
  readonly extensions: readonly string[];
  isBeginOf(bytes: Buffer): boolean;
};

const pngSignature = Buffer.from('89504e470d0a1a0a', 'hex');
const jpegStart = Buffer.from('ffd8ff', 'hex');

/** CONTRACTS §1.3: png, jpeg and webp. */
export const imageTypes: readonly ImageType[] = [
  {
    mediaType: 'image/png',
    extensions: ['png'],
    isBeginOf: (bytes) => bytes.subarray(0, pngSignature.length).equals(pngSignature),
  },
  {
    mediaType: 'image/jpeg',
    extensions: ['jpg', 'jpeg'],
    isBeginOf: (bytes) => bytes.subarray(0, jpegStart.length).equals(jpegStart),
  },
  {
    mediaType: 'image/webp',
    extensions: ['webp'],
    isBeginOf: (bytes) =>
      bytes.toString('latin1', 0, 4) === 'RIFF' && bytes.toString('latin1', 8, 12) === 'WEBP' && bytes.length > 12,
  },
];
