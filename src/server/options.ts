/**
 * What a server can be given, and the checks of it.
 */
import { type OptionNames, refuse, requireNames } from '../base/options.js';
import type { Checkpoint } from '../checkpoint/checkpoint.js';
import type { Compute } from '../engine/compute.js';
import type { ConnectionLimits } from '../node/listen.js';
import { type Rule, requireRule } from './faults.js';
import { LOAD_LIMITS, type LoadLimits } from './limits.js';
import type { PlaygroundFolder } from './playground.js';

/** What a server can be given. */
export interface ServerOptions {
  /** Models by the names that requests call them by; the first one answers requests without a name. */
  readonly models?: Readonly<Record<string, Checkpoint>> | undefined;
  /** In the place of `models`: where they are computed, such as another thread. It is closed with the server. */
  readonly compute?: Compute | undefined;
  /** Keys that may ask; without any, everybody may. */
  readonly keys?: readonly string[] | undefined;
  /** Origins of pages that may ask, such as https://example.org; none if left out. */
  readonly origins?: readonly string[] | undefined;
  /** Hosts that requests may name, beside the one that the server listens at. */
  readonly hosts?: readonly string[] | undefined;
  readonly limits?: Partial<LoadLimits> | undefined;
  /** Of connections, when it listens. */
  readonly connections?: Partial<ConnectionLimits> | undefined;
  /** Answers by rule, for tests of clients. */
  readonly rules?: readonly Rule[] | undefined;
  /** Lets requests ask for errors, waits and cuts by the header x-microgpt-fault. */
  readonly faults?: boolean | undefined;
  /** Keep the last 1,000 requests in `requests`. */
  readonly record?: boolean | undefined;
  /** Served below /playground/: `playgroundFolder()` in 'microgpt/node'. */
  readonly playground?: PlaygroundFolder | undefined;
  /** Called once for each request when its answer has ended. */
  readonly log?: ((line: LogLine) => void) | undefined;
}

const NAMES: OptionNames<ServerOptions> = {
  models: true,
  compute: true,
  keys: true,
  origins: true,
  hosts: true,
  limits: true,
  connections: true,
  rules: true,
  faults: true,
  record: true,
  playground: true,
  log: true,
};

const CONNECTION_NAMES: OptionNames<ConnectionLimits> = {
  headerBytes: true,
  headersMs: true,
  requestMs: true,
  checkMs: true,
  keepAliveMs: true,
  idleWriteMs: true,
  requestsPerSocket: true,
  connections: true,
  perAddress: true,
};

/** @throws MG_OPTION_VALUE */
export function requireServer(options: ServerOptions): void {
  requireNames('createServer', options, NAMES);
  const { limits = {}, connections = {}, rules = [] } = options;
  requireNames('limits', limits, named(LOAD_LIMITS));
  requireNames('connections', connections, CONNECTION_NAMES);
  for (const [name, value] of Object.entries({ ...limits, ...connections })) {
    if (value !== undefined && !(typeof value === 'number' && value >= 0)) refuse(name, value, 'a number from 0');
  }
  for (const name of ['keys', 'origins', 'hosts'] as const) {
    const list: unknown = options[name] ?? [];
    if (!Array.isArray(list) || list.some((one) => typeof one !== 'string')) refuse(name, list, 'a list of texts');
  }
  if (!Array.isArray(rules)) refuse('rules', rules, 'a list of rules');
  for (const [i, rule] of rules.entries()) requireRule(rule, `rules[${i}]`);
}

const named = (record: object) => Object.fromEntries(Object.keys(record).map((name) => [name, true as const]));

/** What is logged of a request: never its text, never a key. */
export interface LogLine {
  readonly time: string;
  readonly id: string;
  readonly method: string;
  /** One of the routes, or "unknown". */
  readonly route: string;
  readonly status: number;
  readonly ms: number;
  /** Until its turn came, and until the first piece of a stream; both from the beginning. */
  readonly queue_ms: number;
  readonly first_ms: number | null;
  readonly model: string | null;
  readonly tokens: number;
  /** Why the answer did not come to its end; null when it did. */
  readonly cut: string | null;
  /** Of an error that is our fault. */
  readonly stack?: string | undefined;
}
