import type { JsonPath } from '../../codec/json-scanner.ts';
import { GatewayError } from '../../domain/gateway-error.ts';
import { invalidMember, memberName } from './member-name.ts';

/** No object of the API comes near. */
const maxMembers = 64;

/**
 * Refuses a second member of the same name, because parsers differ in which of the two they take. It remembers only the objects
 * that are still open, so that a body of any length needs no more memory.
 */
export class RepeatedMembers {
  readonly #open = new Map<string, Set<string>>();

  /** A value has come at this path. Throws a GatewayError for the second one. */
  note(path: JsonPath): void {
    const name = path.at(-1);
    if (typeof name !== 'string') return;
    const object = JSON.stringify(path.slice(0, -1));
    const names = this.#open.get(object) ?? new Set();
    if (names.has(name)) throw invalidMember(memberName(path), 'is given twice');
    if (names.size === maxMembers) throw tooManyMembers();
    this.#open.set(object, names.add(name));
  }

  /** The object at this path has ended. */
  close(path: JsonPath): void {
    this.#open.delete(JSON.stringify(path));
  }
}

function tooManyMembers(): GatewayError {
  return new GatewayError('request_too_large', `An object of the request has more than ${maxMembers} members.`);
}
