import type { EditInputs, ImageInput } from '../../domain/image-input.ts';
import type { ImageRequest } from '../../domain/image-request.ts';
import { type FormFile, formBody } from '../../upstream/form-body.ts';
import type { PaidBody } from '../../upstream/paid-body.ts';
import { imagesBody } from '../azure/images-body.ts';

/**
 * The form of an edit: small fields first, then the files, each with the type that its bytes have, because Azure refuses
 * `application/octet-stream` (CONTRACTS §3.2). Several images go by the name that Azure documents, `image[]`.
 */
export function editsForm(request: ImageRequest, edit: EditInputs, model: string | undefined): PaidBody {
  const fields = Object.entries(imagesBody(request, model))
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, String(value)] as const);
  return formBody(fields, filesOf(edit));
}

function filesOf({ images, mask, markup }: EditInputs): FormFile[] {
  const name = images.length === 1 ? 'image' : 'image[]';
  return [
    ...images.map((image, index) => file(name, `image-${index + 1}`, image)),
    ...(mask ? [file('mask', 'mask', mask)] : []),
    ...(markup ? [file('markup', 'markup', markup)] : []),
  ];
}

function file(name: string, stem: string, input: ImageInput): FormFile {
  const filename = `${stem}.${input.mediaType.slice('image/'.length)}`;
  return { name, filename, contentType: input.mediaType, bytes: input.bytes, open: () => input.open() };
}
