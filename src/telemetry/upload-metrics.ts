import { Counter, Gauge, type Registry } from 'prom-client';
import type { ImageUploads } from '../domain/image-uploads.ts';

/** How uploads to an object store go, read when somebody asks for the metrics, from what the returned function is given. */
export function uploadMetrics(registry: Registry): (uploads: ImageUploads) => void {
  let uploads: ImageUploads | undefined;
  const registers = [registry];
  new Gauge({
    name: 'gateway_images_waiting_for_upload',
    help: 'Images that are in DATA_DIR only, because they could not be uploaded to IMAGES_URL yet',
    registers,
    collect() {
      this.set(uploads?.pending ?? 0);
    },
  });
  new Counter({
    name: 'gateway_image_uploads_failed_total',
    help: 'Uploads of images to IMAGES_URL that failed, or took over 10 s; one image may fail several times',
    registers,
    collect() {
      this.reset();
      this.inc(uploads?.failed ?? 0);
    },
  });
  return (watched) => {
    uploads = watched;
  };
}
