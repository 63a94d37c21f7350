import type { FastifyReply, FastifyRequest } from 'fastify';
import type { InputStore, OpenInputStore } from '../../../domain/image-input.ts';
import type { PassThrough } from '../../../domain/pass-through.ts';
import { modelInPath } from '../../request-path.ts';
import type { RuntimeConfig } from '../../surface.ts';
import { SpooledBody } from '../../uploads/spooled-body.ts';
import { boundedUpload } from '../../uploads/watch-upload.ts';
import { forward } from './forward.ts';

/** Where a request goes whose model is none of ours. */
type Elsewhere = { readonly passThrough: PassThrough; readonly spooled: SpooledBody; readonly spool: InputStore };

/**
 * The body of `POST …/responses` while it arrives. Only the model that it names shows who it is for, so it is recorded until
 * then, and forwarded from its first byte if need be.
 */
export class ForwardableBody {
  readonly chunks: AsyncIterable<Buffer>;
  /** Whether a model is none of ours; `undefined`: nothing is forwarded. */
  readonly isElsewhere: ((model: string) => boolean) | undefined;
  readonly #request: FastifyRequest;
  readonly #config: RuntimeConfig;
  readonly #elsewhere: Elsewhere | undefined;

  constructor(request: FastifyRequest, config: RuntimeConfig, openInputs: OpenInputStore) {
    const arriving = request.raw.iterator({ destroyOnReturn: false });
    const { passThrough, gateway } = config;
    this.#request = request;
    this.#config = config;
    // A model in the path is one of ours.
    if (passThrough === undefined || modelInPath(request) !== undefined) {
      this.chunks = arriving;
      return;
    }
    const spool = openInputs(request.consumerId);
    const spooled = new SpooledBody(arriving, spool);
    this.#elsewhere = { passThrough, spooled, spool };
    this.chunks = spooled.read();
    this.isElsewhere = (model) => {
      const isOurs = gateway.catalog.names.includes(model);
      if (isOurs) spooled.stopRecording();
      return !isOurs;
    };
  }

  /** Forwards the whole request, and writes the response. */
  async forward(reply: FastifyReply): Promise<void> {
    if (this.#elsewhere === undefined) throw new Error('nothing is forwarded');
    const { passThrough, spooled } = this.#elsewhere;
    const { raw, arrival } = this.#request;
    const body = boundedUpload(raw, { limits: this.#config.uploadLimits, arrival }, spooled.replay());
    await forward(this.#request, reply, passThrough, body);
  }

  /** Deletes what was recorded. */
  async release(): Promise<void> {
    await this.#elsewhere?.spool.release();
  }
}
