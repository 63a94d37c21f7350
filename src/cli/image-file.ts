import { constants } from 'node:fs';
import { copyFile, type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { imageExtension, imageHeaderBytes, imageMediaType } from '../codec/image-header.ts';

/** A file that is opened before the image is paid for, so that it is known to be writable. */
export interface ImageFile {
  /** Writes the image. Resolves with the final name, whose extension comes from the image's first bytes. */
  save(bytes: Buffer): Promise<string>;
  /** Deletes the file, unless an image was saved. */
  drop(): Promise<void>;
}

/** Opens a new file `smoke-MODEL-TIME` in a directory. No file is ever overwritten. Rejects when it cannot be written. */
export async function openImageFile(directory: string, model: string, now: Date): Promise<ImageFile> {
  const time = now.toISOString().replace(/[:.]/g, '-').replace('Z', '');
  const name = join(directory, `smoke-${model.replace(/[^\w.-]+/g, '-').slice(0, 64)}-${time}`);
  const part = `${name}.part`;
  const file: FileHandle = await open(part, 'wx');
  let isSaved = false;
  return {
    async save(bytes) {
      // From here on the file is the only copy of a paid image.
      isSaved = true;
      await file.writeFile(bytes);
      await file.close();
      const type = imageMediaType(bytes.subarray(0, imageHeaderBytes));
      const final = `${name}.${type === undefined ? 'bin' : imageExtension(type)}`;
      await copyFile(part, final, constants.COPYFILE_EXCL);
      await unlink(part);
      return final;
    },
    async drop() {
      if (isSaved) return;
      await file.close();
      await unlink(part);
    },
  };
}
