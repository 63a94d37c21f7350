import { scanJson } from '../../codec/json-scanner.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import type { ImageProvider } from '../../domain/image-provider.ts';
import { type ImageRequest, operations } from '../../domain/image-request.ts';
import type { PaidBody } from '../../upstream/client.ts';
import { keyAsBearer } from '../../upstream/credential.ts';
import { jsonWithImages, type Place } from '../../upstream/image-bodies.ts';
import { requireSuccess } from '../azure/azure-error.ts';
import { edgesOfSize, parametersBesideSize, sizeOfEdges } from '../azure/edge-size.ts';
import { imageEvents, imagesShape } from '../azure/image-events.ts';
import { waitForOutcome } from '../azure/read-response.ts';
import type { ProviderDeps } from '../provider-descriptor.ts';

type Options = Pick<ProviderDeps, 'client' | 'credential'> & {
  readonly url: URL;
  /** The body's `model`. */
  readonly deployment: string;
  /** Whether a key goes as a bearer token. */
  readonly isKeyBearer: boolean;
};

/** One path for images from a prompt alone, and from other images too. */
export function fluxImages({ url, deployment, isKeyBearer, client, ...deps }: Options): ImageProvider {
  const credential = isKeyBearer ? keyAsBearer(deps.credential) : deps.credential;
  return {
    id: 'flux',
    operations,
    async generate(request, call) {
      const body = fluxBody(request, deployment);
      const response = await client.post(url, { credential, body }, call);
      await requireSuccess(response, callersName, deployment);
      return waitForOutcome(imageEvents(scanJson(response.body, imagesShape), call));
    },
  };
}

function fluxBody(request: ImageRequest, deployment: string): PaidBody {
  const { edit } = request;
  if (edit?.mask ?? edit?.markup) throw unsupported(edit?.mask ? 'mask' : 'markup');
  const { n, ...parameters } = parametersBesideSize(request, deployment);
  const build = (place: Place) => ({
    ...parameters,
    ...edgesOfSize(request.size),
    num_images: n,
    ...Object.fromEntries((edit?.images ?? []).map((image, index) => [inputName(index), place(image)])),
  });
  return jsonWithImages(build, edit?.inputs, 'base64');
}

/** The API has neither: a target that says otherwise is mistaken. */
function unsupported(param: 'mask' | 'markup'): GatewayError {
  return new GatewayError('unsupported_parameter', `This model does not support '${param}'.`, {
    param,
    outcome: 'refused',
  });
}

/** @param index from 0 */
function inputName(index: number): string {
  return index === 0 ? 'input_image' : `input_image_${index + 1}`;
}

/** What callers call a parameter that the upstream complains of. */
function callersName(name: string): string {
  if (name === 'num_images') return 'n';
  return /^input_image(_\d+)?$/.test(name) ? 'image' : sizeOfEdges(name);
}
