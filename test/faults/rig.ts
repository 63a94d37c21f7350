import type { onTestFinished } from 'vitest';
import type { AppParts } from '../../src/app.ts';
import type { EntraTokens } from '../../src/upstream/entra.ts';
import { tinyPng } from '../fixtures/images.ts';
import { gatewayKey, type StartedGateway, startGateway } from '../helpers/start-gateway.ts';
import './trust.ts';
import type { FaultServer } from './fault-server.ts';
import type { Client } from './matrix.ts';
import { azureKey, isEdit, type Mode, parametersOf, targetOf } from './modes.ts';
import { type Call, editCall, jsonCall, rawCall } from './raw-client.ts';
import type { Reported } from './reported.ts';
import { sdkCall } from './sdk-client.ts';
import { scaledTokenTimes, tokenPrefix } from './token-desk.ts';
import { until } from './until.ts';

export type OnFinished = typeof onTestFinished;

/** None of these may be seen by anybody: in the prompts, and the keys. */
const secrets = ['prompt-canary', gatewayKey, azureKey, tokenPrefix];

const scaledTimes = {
  lingerMs: 500,
  queueMs: 2_000,
  backoffMs: 20,
  maxBackoffMs: 60,
  minLeftMs: 100,
  breakerOpenMs: 100,
  maxBreakerOpenMs: 200,
};

export type GatewayOptions = {
  readonly modelKeys?: Readonly<Record<string, unknown>>;
  readonly targetKeys?: Readonly<Record<string, unknown>>;
  readonly limits?: Readonly<Record<string, unknown>>;
  readonly times?: Partial<typeof scaledTimes>;
  readonly upstreamTimes?: AppParts['upstreamTimes'];
  /** Instead of keys, the targets are shown tokens. */
  readonly entra?: EntraTokens;
  readonly onFinished: OnFinished;
};

/** The gateway with the model `image` at these targets, and `spare` at one that is always in order. */
export function startFaultyGateway(
  mode: Mode,
  { targets, spare }: { readonly targets: readonly string[]; readonly spare: string },
  { modelKeys = {}, targetKeys, limits, times, upstreamTimes, entra, onFinished }: GatewayOptions,
): Promise<StartedGateway> {
  const target = (origin: string) => {
    const { apiKey, ...keys } = targetOf(mode, origin);
    return { ...keys, ...(entra ? { auth } : { apiKey }) };
  };
  const image = {
    ...modelKeys,
    targets: targets.map((origin, index) => ({ ...target(origin), ...targetKeys, priority: index })),
  };
  const models = { ...(limits && { limits }), models: { image, spare: target(spare) } };
  return startGateway(models, {
    times: { ...scaledTimes, ...times },
    upstreamTimes: { connectMs: 1_000, ...scaledTokenTimes, ...upstreamTimes },
    ...(entra && { entra }),
    onFinished,
  });
}

const auth = { entra: { scope: 'https://ai.azure.com/.default' } };

export const inputImage = Buffer.from(tinyPng, 'base64');

/** The bytes of a mode's call. */
export function callOf(mode: Mode, model: string, prompt: string, headers: Call['headers'] = {}): Call {
  const fields = { model, prompt, ...parametersOf[mode] };
  return isEdit(mode) ? editCall(fields, inputImage, headers) : jsonCall(fields, headers);
}

export type ClientCall = {
  readonly mode: Mode;
  readonly model: string;
  readonly prompt: string;
  /** The deadline. */
  readonly timeoutMs: number;
};

/** One request in a mode, by a client of either kind. */
export function callWith(
  client: Client,
  url: string,
  { mode, model, prompt, timeoutMs }: ClientCall,
): Promise<Reported> {
  const headers = { 'x-gateway-timeout-ms': String(timeoutMs) };
  if (client === 'raw') return rawCall(url, callOf(mode, model, prompt, headers));
  const fields = { model, prompt, ...parametersOf[mode] };
  return sdkCall(url, { fields, headers, image: isEdit(mode) ? inputImage : undefined });
}

export type Rest = { readonly inFlight: number; readonly heldBytes: number; readonly upstreamConnections: number };

export const atRest: Rest = { inFlight: 0, heldBytes: 0, upstreamConnections: 0 };

/**
 * What the gateway still holds once everything should be over. It has four seconds for that: two that a connection may
 * take which nobody wants any more, and two for a busy machine.
 */
export function restOf({ app }: StartedGateway, servers: readonly FaultServer[]): Promise<Rest> {
  return until(
    () => ({
      inFlight: app.gateway.inFlight,
      heldBytes: app.gateway.admission.heldBytes,
      upstreamConnections: servers.reduce((sum, { open }) => sum + open, 0),
    }),
    (rest) => Object.values(rest).every((value) => value === 0),
    4_000,
  );
}

/** In all that upstreams say; the log holds it for the operator, in one place. */
const upstreamText = 'upstream-text-canary';

/** The canaries in the log, and in these texts that others see. */
export function leaksIn({ log, logText }: StartedGateway, ...texts: readonly string[]): string[] {
  const seen = [...texts, JSON.stringify(log.map(withoutUpstream))];
  const isIn = (some: readonly string[]) => (canary: string) => some.some((text) => text.includes(canary));
  return [...secrets.filter(isIn([...seen, logText()])), ...[upstreamText].filter(isIn(seen))];
}

function withoutUpstream({ error, ...line }: Record<string, unknown>): unknown {
  return { ...line, error: error && { ...error, upstream: undefined } };
}
