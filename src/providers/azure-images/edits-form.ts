import type { EditInputs, InputReference } from '../../domain/image-input.ts';
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

function filesOf({ images, mask, markup, inputs }: EditInputs): FormFile[] {
  const file = (name: string, stem: string, input: InputReference): FormFile => ({
    name,
    filename: `${stem}.${input.type.slice('image/'.length)}`,
    contentType: input.type,
    bytes: input.size,
    open: () => inputs.open(input),
  });
  const name = images.length === 1 ? 'image' : 'image[]';
  return [
    ...images.map((image, index) => file(name, `image-${index + 1}`, image)),
    ...(mask ? [file('mask', 'mask', mask)] : []),
    ...(markup ? [file('markup', 'markup', markup)] : []),
  ];
}
