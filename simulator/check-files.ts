import {
  invalidFile,
  missingParameter,
  type PlainResponse,
  unknownParameter,
  unsupportedMimetype,
} from './azure-errors.ts';
import type { EditAbilities } from './families.ts';
import { imageTypes } from './inspect-image.ts';
import { fileRoleOf, type ReceivedFile } from './receive-form.ts';

const megabyte = 1024 * 1024;
// A file must stay below its limit.
const [imageLimit, overlayLimit] = [50 * megabyte, 4 * megabyte];

type Files = readonly ReceivedFile[];

/** Says why Azure would refuse these files, or undefined. */
export function checkFiles(files: Files, abilities: EditAbilities): PlainResponse | undefined {
  const { mask, markup } = abilities;
  const isKnown = { image: true, mask, markup, none: false };
  const unknown = files.find(({ part }) => !isKnown[fileRoleOf(part) ?? 'none']);
  if (unknown !== undefined) return unknownParameter(unknown.part);
  const images = files.filter(({ part }) => fileRoleOf(part) === 'image');
  const overlays = files.filter(({ part }) => fileRoleOf(part) !== 'image');
  return (
    checkImages(images, abilities.maximumInputs) ??
    firstProblem(images, (file) => checkFile(file, imageLimit)) ??
    checkOverlays(overlays, images)
  );
}

function firstProblem(
  files: Files,
  check: (file: ReceivedFile) => PlainResponse | undefined,
): PlainResponse | undefined {
  for (const file of files) {
    const problem = check(file);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function checkImages(images: Files, max: number): PlainResponse | undefined {
  if (images.length === 0) return missingParameter('image');
  if (images.length > max) return invalidFile('image', `there are ${images.length}, and ${max} are allowed`);
  const names = images.map(({ part }) => part);
  const isNumbered = names.every((name, position) => name === `image[${position}]`);
  const isList = names.every((name) => name === 'image[]');
  const isSingle = names.length === 1 && names[0] === 'image';
  if (isSingle || isList || isNumbered) return undefined;
  return invalidFile('image', 'several must be called image[], or image[0], image[1] and so on');
}

function checkFile(file: ReceivedFile, limit: number): PlainResponse | undefined {
  const { part, filename, contentType, bytes, facts } = file;
  const name = fileRoleOf(part) ?? part;
  const type = imageTypes.find(({ mediaType }) => mediaType === contentType);
  if (type === undefined) return unsupportedMimetype(name, contentType);
  const extension = /\.([^./\\]+)$/.exec(filename ?? '')?.[1]?.toLowerCase() ?? '';
  if (!type.extensions.includes(extension)) return invalidFile(name, `its file name is none of ${contentType}`);
  if (facts.mediaType !== contentType) return invalidFile(name, `its bytes are not ${contentType}`);
  if (bytes >= limit) return invalidFile(name, `it must be smaller than ${limit / megabyte} MB`);
  return facts.isBroken ? invalidFile(name, 'it cannot be decoded') : undefined;
}

// Mask and markup lie over the first image, and there is one of them.
function checkOverlays(overlays: Files, images: Files): PlainResponse | undefined {
  const [first, second] = overlays;
  if (second !== undefined) return invalidFile(second.part, 'one mask or one markup is allowed, and not both');
  return firstProblem(overlays, (file) => checkFile(file, overlayLimit)) ?? (first && checkOverlay(first, images));
}

function checkOverlay({ part, contentType, facts }: ReceivedFile, images: Files): PlainResponse | undefined {
  if (contentType !== 'image/png') return invalidFile(part, 'it must be image/png');
  const [over, under] = [facts.outline, images[0]?.facts.outline];
  if (over?.hasAlpha === false) return invalidFile(part, 'it must have an alpha channel');
  // The size of an image that was too large to be kept may be unknown.
  if (over === undefined || under === undefined) return undefined;
  const fits = over.width === under.width && over.height === under.height;
  return fits ? undefined : invalidFile(part, 'it must have the size of the first image');
}
