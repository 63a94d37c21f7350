/** Where an Azure deployment answers, and how the body names it. */
export type AzureAddress = {
  readonly generations: URL;
  readonly edits: URL;
  /** The `model` of the body or form; `undefined`: the path names the deployment, and Azure refuses the member. */
  readonly model: string | undefined;
  /** For the operator's hints; `undefined`: behind an address that does not name it. */
  readonly deployment: string | undefined;
};

/**
 * Deployment addressing (`…/openai/deployments/{name}/images/…?api-version=V`): Azure refuses a body whose `model` is
 * anything but the canonical model name, so it is left out.
 */
export function deploymentAddress({ baseURL, apiVersion }: { baseURL: string; apiVersion: string }): AzureAddress {
  const [, name] = /\/deployments\/([^/]+)$/.exec(baseURL) ?? [];
  return { ...imagesUrls(baseURL, apiVersion), model: undefined, deployment: name && decodeURIComponent(name) };
}

/** v1 addressing (`…/openai/v1/images/…`): the body's `model` is the deployment's name, and api-version is optional. */
export function v1Address({
  baseURL,
  apiVersion,
  deployment,
}: {
  baseURL: string;
  apiVersion?: string | undefined;
  deployment: string;
}): AzureAddress {
  return { ...imagesUrls(baseURL, apiVersion), model: deployment, deployment };
}

function imagesUrls(baseURL: string, apiVersion: string | undefined): Pick<AzureAddress, 'generations' | 'edits'> {
  const urlOf = (operation: string) => {
    const url = new URL(`${baseURL}/images/${operation}`);
    if (apiVersion !== undefined) url.searchParams.set('api-version', apiVersion);
    return url;
  };
  return { generations: urlOf('generations'), edits: urlOf('edits') };
}
