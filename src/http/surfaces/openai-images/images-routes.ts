import type { FastifyInstance, RouteHandlerMethod } from 'fastify';
import type { OpenSpool } from '../../../domain/input-spool.ts';
import { imagesRoots } from '../../request-path.ts';
import { handleGeneration, type RuntimeConfig, type Surface } from '../../surface.ts';
import { refuseOtherMethods, refuseRoute } from '../../unserved-routes.ts';
import { parseEdit } from './parse-edit.ts';
import { parseGeneration } from './parse-parameters.ts';
import { writeJson } from './write-json.ts';
import { writeStream } from './write-stream.ts';

/** Both operations respond with JSON or with an event stream. */
const write: Surface['write'] = (reader, reply, asked) =>
  asked.stream ? writeStream(reader, reply, asked) : writeJson(reader, reply);

/** `POST …/images/generations` on every root. */
export function generationsRoute(app: FastifyInstance, config: () => RuntimeConfig): void {
  imagesRoute(app, 'generations', handleGeneration({ parse: parseGeneration, write }, config));
}

/** `POST …/images/edits` on every root. */
export function editsRoute(app: FastifyInstance, config: () => RuntimeConfig, openSpool: OpenSpool): void {
  imagesRoute(app, 'edits', handleGeneration({ parse: parseEdit(openSpool), write }, config));
}

function imagesRoute(app: FastifyInstance, operation: string, handler: RouteHandlerMethod): void {
  for (const root of imagesRoots) {
    const url = `${root}/images/${operation}`;
    app.post(url, handler);
    refuseOtherMethods(app, url, ['POST']);
  }
}

/** What OpenAI or Azure had, and this gateway has not. Said before the body is looked at, whatever its type. */
export function refusedRoutes(app: FastifyInstance): void {
  for (const root of imagesRoots) {
    refuseRoute(app, `${root}/images/variations`, [
      'unsupported_operation',
      "Variations are not supported: no Azure model makes them. Use 'images/edits' with a prompt.",
    ]);
  }
  for (const prefix of ['', '/m/:model']) {
    // Two colons, because one would begin a parameter.
    refuseRoute(app, `${prefix}/openai/images/generations::submit`, [
      'unsupported_endpoint',
      "The asynchronous submit and poll flow is not offered here. Use 'images/generations', which waits for the image.",
    ]);
  }
}
