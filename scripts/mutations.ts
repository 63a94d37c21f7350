/** One condition of `src/` broken on purpose: some test must fail for it. */
export type Mutation = {
  /** What the gateway does wrong then. */
  readonly breaks: string;
  /** Text that stands exactly once in `src/`, in whichever file. */
  readonly find: string;
  readonly replace: string;
  /** Filters of vitest: parts of the paths of test files. */
  readonly tests: readonly string[];
};

const outcome = ['test/targets/outcome'];
const dispatch = ['test/upstream/exchange', 'test/upstream/paid-call'];
const jobs = ['test/storage/sql', 'test/storage/sqlite', 'test/generations'];
const semaphore = ['test/concurrency/semaphore'];
const permits = ['test/generations', 'test/end-to-end/permits'];
const breaker = ['test/targets/breaker', 'test/targets/target-health'];
const redirects = ['test/security/credentials-stay-home', 'test/upstream/paid-call'];
const links = ['test/upstream/guarded-download', 'test/providers/operation-url'];
const credentials = ['test/upstream/credential.', 'test/http/access'];
const proxy = ['test/upstream/egress-proxy'];
const forwarding = ['test/upstream/pass-through', 'test/upstream/azure-pass-through', 'test/http/responses'];
const guard = ['test/upstream/guarded-connector', 'test/security/forbidden-addresses'];

/** undici's own way to follow redirects, in whatever file the text stands. */
const following =
  ".compose(process.getBuiltinModule('node:module').createRequire(import.meta.url)('undici').interceptors.redirect({ maxRedirections: 2 }))";

/** What decides about money, about who is let in, and about where connections go. */
export const mutations: readonly Mutation[] = [
  // Jobs.
  {
    breaks: 'jobs are shown to consumers whose they are not',
    find: "const visible = 'consumer = ? and",
    replace: "const visible = '(consumer = ? or 1 = 1) and",
    tests: jobs,
  },
  {
    breaks: 'a job that was sent is run again by whoever takes it over',
    find: 'set attempts = ?, request = null,',
    replace: 'set attempts = ?,',
    tests: jobs,
  },
  {
    breaks: 'a job whose id was lost is bought again by a retry',
    find: 'background === 1 && keyed === 0 ? now : null',
    replace: 'null',
    tests: jobs,
  },
  {
    breaks: 'a job whose image is being made is called cancelled',
    find: 'return !call.isOpen || call.isCancellable;',
    replace: 'return true;',
    tests: jobs,
  },
  {
    breaks: 'a job is run although its consumer has too many',
    find: 'row.open >= maxOpen',
    replace: 'row.open > maxOpen',
    tests: jobs,
  },
  // The outcome table.
  {
    breaks: 'an unknown outcome is retried unasked',
    find: "if (outcome === 'unknown') return 'if allowed';",
    replace: "if (outcome === 'unknown') return 'anywhere';",
    tests: outcome,
  },
  {
    breaks: 'a failure without an outcome is retried',
    find: "kind === 'client_gone' || outcome === undefined || outcome === 'refused'",
    replace: "kind === 'client_gone' || outcome === 'refused'",
    tests: outcome,
  },
  {
    breaks: 'refused content is retried',
    find: "outcome === undefined || outcome === 'refused') return",
    replace: 'outcome === undefined) return',
    tests: outcome,
  },
  {
    breaks: 'a chat model that was paid for its words is called again',
    find: "if (isChatBilled(kind)) return 'nowhere';",
    replace: '',
    tests: outcome,
  },
  {
    breaks: 'a blocked resource is called again at once',
    find: "  'upstream_blocked',\n  'upstream_declined',\n];",
    replace: "  'upstream_declined',\n];",
    tests: outcome,
  },
  {
    breaks: 'a rate limit counts as a fault of the target',
    find: "kind === 'upstream_rate_limited' || isChatBilled(kind)",
    replace: 'isChatBilled(kind)',
    tests: outcome,
  },

  // The dispatch point and the sent mark.
  {
    breaks: 'a call that was given up while it connected counts as sent',
    find: 'if (signal.aborted) controller.abort(signal.reason);\n    else if (attempt) attempt.sent = true;',
    replace: 'if (attempt) attempt.sent = true;\n    if (signal.aborted) controller.abort(signal.reason);',
    tests: dispatch,
  },
  {
    breaks: 'a call that was given up while it connected is sent',
    find: 'if (signal.aborted) controller.abort(signal.reason);\n    else if (attempt) attempt.sent = true;',
    replace: 'if (attempt) attempt.sent = true;',
    tests: dispatch,
  },
  {
    breaks: 'a call that was given up before it began is dispatched',
    find: 'if (signal.aborted) return reject(signal.reason);',
    replace: '',
    tests: dispatch,
  },
  {
    breaks: 'a call that was sent counts as not sent, and is paid twice',
    find: 'else if (attempt) attempt.sent = true;',
    replace: '',
    tests: dispatch,
  },
  {
    breaks: 'a paid call uses a kept-alive connection, which may close under it',
    find: '{ ...agentDefaults, pipelining: 0, connect }',
    replace: '{ ...agentDefaults, connect }',
    tests: dispatch,
  },
  {
    breaks: 'an interim response counts as the response',
    find: 'if (status >= 200) this.#parts.resolve(',
    replace: 'this.#parts.resolve(',
    tests: ['test/faults/slice'],
  },

  // Permits.
  {
    breaks: 'a waiter that has left gets a permit, which is lost with it',
    find: 'this.#waiting.delete(resolve);\n      reject(reason);',
    replace: 'reject(reason);',
    tests: semaphore,
  },
  {
    breaks: 'a permit that is free is not passed on',
    find: 'if (this.#waiting.size > 0) this.#grant();',
    replace: '',
    tests: semaphore,
  },
  {
    breaks: 'more may wait for a permit than its limit says',
    find: 'if (!isPatient && this.#waiting.size >= maxWaiting)',
    replace: 'if (!isPatient && this.#waiting.size > maxWaiting)',
    tests: semaphore,
  },
  {
    breaks: 'a permit that is released twice counts twice',
    find: 'if (!isHeld) return;',
    replace: '',
    tests: ['test/concurrency', ...permits],
  },
  {
    breaks: 'a generation that has settled keeps its permit of the process',
    find: 'this.#releasePermit?.();\n    permits.release(',
    replace: 'permits.release(',
    tests: permits,
  },
  {
    breaks: 'a generation that ended while it waited keeps the permit that it got too late',
    find: 'if (this.isSettled) this.#releasePermit?.();',
    replace: '',
    tests: permits,
  },
  {
    breaks: 'a generation that has settled keeps the permits of its targets',
    find: 'for (const { permit } of calls) permit[Symbol.dispose]();\n',
    replace: '\n',
    tests: permits,
  },
  {
    breaks: 'a generation that has settled keeps the permits of its consumer',
    find: 'permits.release(calls.some(({ attempt }) => attempt.sent));',
    replace: '',
    tests: permits,
  },
  {
    breaks: 'images that may have been made are refunded to the quota',
    find: 'permits.release(calls.some(({ attempt }) => attempt.sent));',
    replace: 'permits.release(false);',
    tests: permits,
  },
  {
    breaks: 'a call that ends with its wait for a permit keeps it',
    find: 'call[Symbol.dispose]();\n      throw signal.reason;',
    replace: 'throw signal.reason;',
    tests: ['test/targets/target-health', ...permits],
  },
  {
    breaks: 'retries are not bounded',
    find: 'if (isRetry && this.#retries >= Math.max(1, Math.floor(this.#calls / 10))) return undefined;',
    replace: '',
    tests: ['test/targets/retry-budget'],
  },

  // The breaker.
  {
    breaks: 'an open breaker lets calls through before its time is over',
    find: "(this.#state.name === 'open' && now >= this.#state.until);",
    replace: "this.#state.name === 'open';",
    tests: breaker,
  },
  {
    breaks: 'a failed trial leaves the breaker half-open',
    find: "if (this.#state.name === 'half-open' || isRow || isHalf)",
    replace: 'if (isRow || isHalf)',
    tests: breaker,
  },
  {
    breaks: 'a trial that says nothing leaves the breaker half-open for ever',
    find: "if (this.#state.name === 'half-open') this.#state = { name: 'open', until: now };",
    replace: '',
    tests: breaker,
  },
  {
    breaks: 'a success does not shorten the next opening',
    find: 'this.#openings = 0;',
    replace: '',
    tests: breaker,
  },
  {
    breaks: 'a failure of the whole target does not open its breaker',
    find: 'if (error.isTargetWide) this.#count(() => this.#breaker.open(now));\n    else if',
    replace: 'if',
    tests: breaker,
  },
  {
    breaks: 'a hint of a day takes a target out for a day',
    find: 'now + Math.min(askedMs, this.#maxCoolDownMs)',
    replace: 'now + askedMs',
    tests: breaker,
  },

  // Redirects, credentials, and links in responses.
  {
    breaks: 'a redirect of a paid call is followed',
    find: 'return await send(paid.of(url.origin), {',
    replace: `return await send(paid.of(url.origin)${following}, {`,
    tests: redirects,
  },
  {
    breaks: 'a redirect of a poll is followed',
    find: 'new Agent({ ...agentDefaults, bodyTimeout: bodyIdleMs, connect });',
    replace: `new Agent({ ...agentDefaults, bodyTimeout: bodyIdleMs, connect })${following};`,
    tests: redirects,
  },
  {
    breaks: 'a poll goes, with the key, to whatever host the response names',
    find: 'const url = new URL(base.origin);',
    replace: 'const url = new URL(located.origin);',
    tests: links,
  },
  {
    breaks: 'a poll goes, with the key, to any path',
    find: 'if (!isBelowRoot || !operationId.test(id))',
    replace: 'if (!operationId.test(id))',
    tests: links,
  },
  {
    breaks: 'a download may lead to a host whose name only ends like one of Azure',
    find: "'.blob.core.windows.net',",
    replace: "'blob.core.windows.net',",
    tests: links,
  },
  {
    breaks: 'a download may lead to any port',
    find: "url.protocol === 'https:' && url.port === ''",
    replace: "url.protocol === 'https:'",
    tests: links,
  },
  {
    breaks: 'further headers of a target replace its credential',
    find: '{ ...further, ...shown.header }',
    replace: '{ ...shown.header, ...further }',
    tests: credentials,
  },
  {
    breaks: 'a key that has expired is valid',
    find: 'found.find(({ isExpired }) => !isExpired)',
    replace: 'found[0]',
    tests: credentials,
  },
  {
    breaks: 'a proxy gets what is sent without TLS, and with it the key',
    find: "if (options.protocol !== 'https:') return dial(options, done);",
    replace: '',
    tests: proxy,
  },
  {
    breaks: 'whoever speaks before TLS has begun counts as the upstream',
    find: 'statusCode < 300 && head.length === 0)',
    replace: 'statusCode < 300)',
    tests: proxy,
  },

  // The guard against requests to private addresses.
  {
    breaks: 'one public address makes a name with private ones good',
    find: 'answers.some(({ address }) => isForbidden(address))',
    replace: 'answers.every(({ address }) => isForbidden(address))',
    tests: guard,
  },
  {
    breaks: 'a private address that is written as such is dialled',
    find: 'if (net.isIP(host) !== 0 && isForbidden(host))',
    replace: 'if (net.isIP(host) === 4 && isForbidden(host))',
    tests: guard,
  },
  {
    breaks: 'a peer is not looked at once it is connected',
    find: 'if (!isForbidden(String(socket.remoteAddress))) return done(null, socket);',
    replace: 'return done(null, socket);',
    tests: guard,
  },
  {
    breaks: 'link-local addresses, and with them the metadata service, are public',
    find: "  ['169.254.0.0', 16],\n",
    replace: '',
    tests: guard,
  },
  {
    breaks: 'an IPv4 address in an IPv6 one is public',
    find: "return !globalUnicast.check(address, 'ipv6') || notPublic",
    replace: 'return notPublic',
    tests: guard,
  },
  {
    breaks: 'an address with a zone is public',
    find: "!net.isIPv6(address) || address.includes('%')",
    replace: '!net.isIPv6(address)',
    tests: guard,
  },

  // What is paid once.
  {
    breaks: 'a process whose jobs were taken over goes on writing them',
    find: 'const isOwn = `id = ? and epoch = ?',
    replace: 'const isOwn = `id = ? and epoch >= ? - 1000',
    tests: jobs,
  },
  {
    breaks: 'a key stands for any request',
    find: "if (isComparable && row.fingerprint !== fingerprint) return ['mismatch'];",
    replace: '',
    tests: jobs,
  },
  {
    breaks: 'a paid call is sent before its record is on the disk',
    find: 'await store.dispatch(this.#lease, this.#attempts(), isRepeated);',
    replace: 'void store.dispatch(this.#lease, this.#attempts(), isRepeated);',
    tests: jobs,
  },
  {
    breaks: 'a response ends before its record is on the disk',
    find: 'await record([...stored',
    replace: 'void record([...stored',
    tests: jobs,
  },
  {
    breaks: 'images are bought that there is no room for',
    find: 'await makeRoom();',
    replace: '',
    tests: jobs,
  },
  {
    breaks: 'a job of which something was sent is free to run again after a crash',
    find: 'if (pieces.length === 0) {',
    replace: 'if (paid.length === 0) {',
    tests: jobs,
  },
  {
    breaks: 'a key whose response has broken off is free to run again',
    find: "if (how === 'truncated' && isKept && !isRefusal(error)) return { name: 'unknown', error: afterCommitment(error) };",
    replace: '',
    tests: jobs,
  },
  // The pass-through.
  {
    breaks: 'a redirect of a forwarded request is followed',
    find: 'return send(paid.of(url.origin), {',
    replace: `return send(paid.of(url.origin)${following}, {`,
    tests: forwarding,
  },
  {
    breaks: 'a forwarded path leads out of the Responses API',
    find: 'if (one !== undefined && segment.test(one)) return one;',
    replace: 'if (one !== undefined) return one;',
    tests: forwarding,
  },
  {
    breaks: 'any query parameter is forwarded',
    find: 'if (!parameters.includes(name)) throw unknownParameter(name);',
    replace: '',
    tests: forwarding,
  },
  {
    breaks: 'every header of Azure reaches clients of the pass-through',
    find: '(returned.includes(name) || rateLimit.test(name)) &&',
    replace: '',
    tests: forwarding,
  },
  {
    breaks: 'a refusal of the gateway’s credential reaches clients as theirs',
    find: 'if (!isOperators) return { code: facts.told.code };',
    replace: 'if (message !== messages.upstream_misconfigured) return { code: facts.told.code };',
    tests: ['test/providers/forwarded-fault', 'test/http/responses'],
  },
  {
    breaks: 'a key that may use only some models forwards to any deployment',
    find: 'if (consumer?.models !== undefined) throw notForThisKey();',
    replace: '',
    tests: forwarding,
  },
  {
    breaks: 'a forwarded request goes on when its client has disconnected',
    find: "response.once('close', end);",
    replace: '',
    tests: forwarding,
  },
  {
    breaks: 'SDKs retry a forwarded request that may have been billed',
    find: 'return forwarded && { sent: forwarded.sent && ',
    replace: 'return forwarded && { sent: false && ',
    tests: ['test/http/may-retry', 'test/http/responses'],
  },
];
