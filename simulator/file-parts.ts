/** What a file of an edit is for. */
export type FileRole = 'image' | 'mask' | 'markup';

const roles: readonly (readonly [FileRole, RegExp])[] = [
  // CONTRACTS §1.3: one image, a list of them, or numbered ones.
  ['image', /^image(?:\[\d*\])?$/],
  ['mask', /^mask$/],
  ['markup', /^markup$/],
];

/** The role of the part with this name, or undefined when an edit has no such file. */
export function fileRoleOf(part: string | undefined): FileRole | undefined {
  return roles.find(([, pattern]) => pattern.test(part ?? ''))?.[0];
}
