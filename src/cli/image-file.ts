import { constants } from 'node:fs';
import { copyFile, type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { imageExtension, imageHeaderBytes, imageMediaType } from '../codec/image-header.ts';

/** A file for an image that has not been paid for yet: that it can be written is known before. */
export interface ImageFile {
  /** Writes the image; gives the file's final name, with the extension that its first bytes ask for. */
  save(bytes: Buffer): Promise<string>;
  /** Takes the file away, unless something was saved. */
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
      // From here on it is the only copy of something that was paid for.
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
