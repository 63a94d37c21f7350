import { GatewayError } from '../../../domain/gateway-error.ts';
import { invalidMember, memberName } from '../../uploads/member-name.ts';
import type { ImageSource } from '../../uploads/receive-input.ts';

/** In place of a value that was too long to be kept: whether that matters is known when its object has ended. */
export const tooLong = Symbol('too long');

/** An object of the body that is being read. Its `type` may come last, so it is judged when it has ended. */
export class ObjectDraft {
  /** As errors call it, such as `input[2]`. */
  readonly name: string;
  readonly #kept: readonly string[];
  readonly #values = new Map<string, unknown>();
  readonly #others = new Set<string>();

  /** @param kept the members whose values matter; of all others only the names are kept */
  constructor(name: string, kept: readonly string[]) {
    this.name = name;
    this.#kept = kept;
  }

  /** JSON null means "not set". */
  add(member: string, value: unknown): void {
    if (value === null) return;
    if (this.#kept.includes(member)) this.#values.set(member, value);
    else this.#others.add(member);
  }

  has(member: string): boolean {
    return this.#values.has(member);
  }

  /** A member that has to be a text, if it is there. Throws a GatewayError that names it. @param problem what it must be */
  text(member: string, problem = 'must be a string'): string | undefined {
    const value = this.#values.get(member);
    if (value === undefined || typeof value === 'string') return value;
    throw invalidMember(`${this.name}.${member}`, value === tooLong ? 'is too long' : problem);
  }

  requiredText(member: string): string {
    return this.text(member) ?? this.#fail(member);
  }

  /** The members that are kept, in the order of the body. Throws a GatewayError for one that is too long. */
  values(): ReadonlyMap<string, unknown> {
    const [long] = [...this.#values].find(([, value]) => value === tooLong) ?? [];
    if (long !== undefined) throw invalidMember(`${this.name}.${long}`, 'is too long, or nested too deeply');
    return this.#values;
  }

  /** A member that has to be an image, if it is there. @param problem what it must be */
  image(member: string, problem: string): ImageSource | undefined {
    const value = this.#values.get(member);
    if (value === undefined || isSource(value)) return value;
    throw invalidMember(`${this.name}.${member}`, problem);
  }

  /** What the object is. Throws a GatewayError where nothing says it. @param implied by its other members */
  type(implied?: string): string {
    return this.text('type') ?? implied ?? this.#fail('type');
  }

  /** Throws a GatewayError for the first member that is none of these. */
  allowOnly(...members: readonly string[]): void {
    const other = [...this.#values.keys(), ...this.#others].find((name) => !members.includes(name));
    if (other === undefined) return;
    throw invalidMember(`${this.name}.${memberName([other])}`, 'is not known', 'unknown_parameter');
  }

  #fail(member: string): never {
    throw missingMember(`${this.name}.${member}`);
  }
}

export function missingMember(param: string): GatewayError {
  return new GatewayError('missing_required_parameter', `'${param}' is missing.`, { param });
}

function isSource(value: unknown): value is ImageSource {
  return typeof value === 'object' && value !== null && ('input' in value || 'link' in value);
}
