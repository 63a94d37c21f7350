import type { EditInputs, InputReference } from '../../domain/image-input.ts';
import type { PaidBody } from '../../upstream/client.ts';
import { type FormFile, formBody } from '../../upstream/image-bodies.ts';

/**
 * The form of an edit: small fields first, then the files, each with the type that its bytes have, because Azure refuses
 * `application/octet-stream`. Several images go by the name that Azure documents, `image[]`.
 *
 * @param parameters by wire name; what is `undefined` is left out
 */
export function editsForm(parameters: Readonly<Record<string, unknown>>, edit: EditInputs): PaidBody {
  const fields = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => [name, String(value)] as const);
  return formBody(fields, filesOf(edit));
}

function filesOf({ images, mask, markup, inputs }: EditInputs): FormFile[] {
  const name = images.length === 1 ? 'image' : 'image[]';
  const file = (name: string, stem: string, input: InputReference): FormFile => ({
    name,
    filename: `${stem}.${input.type.slice('image/'.length)}`,
    contentType: input.type,
    bytes: input.size,
    open: () => inputs.open(input),
  });
  return [
    ...images.map((image, index) => file(name, `image-${index + 1}`, image)),
    ...(mask ? [file('mask', 'mask', mask)] : []),
    ...(markup ? [file('markup', 'markup', markup)] : []),
  ];
}
