import { versioned } from '../azure/azure-target.ts';

/** Where one Responses API answers, and its jobs in the background. */
export type ResponsesAddress = {
  readonly responses: URL;
  response(id: string): URL;
  cancel(id: string): URL;
};

type Options = {
  /** The project, the resource, or the address of a published agent, without a trailing slash. */
  readonly baseURL: string;
  /** Earlier documents give one. */
  readonly apiVersion?: string | undefined;
};

export function responsesAddress({ baseURL, apiVersion }: Options): ResponsesAddress {
  const root = baseURL.endsWith('/protocols/openai')
    ? baseURL
    : `${baseURL}/openai${apiVersion === undefined ? '/v1' : ''}`;
  const urlOf = (rest: string) => versioned(`${root}/responses${rest}`, apiVersion);
  return { responses: urlOf(''), response: (id) => urlOf(`/${id}`), cancel: (id) => urlOf(`/${id}/cancel`) };
}
