// The one place where the dashboard speaks to the manager. Paths are relative to the page, so that a prefix in front of
// both does no harm: the page stands at <prefix>/ui/, the API at <prefix>/api/v1/.

import type { Problem } from './types';

/** Time after which a request counts as not answered. */
const TIMEOUT_MS = 15_000;

export class ApiError extends Error {
  constructor(
    /** HTTP status; 0: no answer at all. */
    readonly status: number,
    message: string,
    /** `Retry-After`, if it was said. */
    readonly retryAfter: string | null = null,
  ) {
    super(message);
    this.name = 'ApiError';
  }
}

/** Told of every answer and of every missing one. */
export interface Observer {
  answered(status: number, managerClockOffsetMs: number | undefined): void;
  missed(): void;
}

let observer: Observer | undefined;
let token: string | undefined;

export function observe(by: Observer): void {
  observer = by;
}

/** A token that goes with every request from now on, if the manager wants one for reading. It is not stored. */
export function useToken(value: string | undefined): void {
  token = value;
}

export function apiUrl(path: string, base: string = document.baseURI): string {
  return new URL(`../api/v1/${path}`, base).href;
}

export type Query = Record<string, string | number | boolean | undefined>;

export function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(key, String(value));
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}

async function send(path: string, accept: string, headers: Record<string, string>, signal: AbortSignal): Promise<Response> {
  const all: Record<string, string> = { Accept: accept, ...headers };
  if (token !== undefined) all['Authorization'] = `Bearer ${token}`;
  let response: Response;
  const sent = Date.now();
  try {
    response = await fetch(apiUrl(path), { headers: all, signal, cache: 'no-store', credentials: 'same-origin' });
  } catch (error) {
    if (signal.aborted && signal.reason !== TIMED_OUT) throw error;
    observer?.missed();
    throw new ApiError(0, 'The manager does not answer.');
  }
  // A gateway that answers for a manager that does not is no answer of the manager.
  if (response.status === 502 || response.status === 504) observer?.missed();
  else observer?.answered(response.status, clockOffset(response.headers.get('date'), sent, Date.now()));
  return response;
}

const TIMED_OUT = 'timed out';

/** How far the manager's clock is ahead, from the `Date` header, which knows whole seconds only. */
export function clockOffset(date: string | null, sent: number, received: number): number | undefined {
  const theirs = date === null ? Number.NaN : Date.parse(date);
  return Number.isNaN(theirs) ? undefined : theirs + 500 - (sent + received) / 2;
}

/** Lets so many through at a time; the others wait in the order in which they came. */
export class Gate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(width: number) {
    this.#free = width;
  }

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((go) => this.#waiting.push(go));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}

/** Time to wait before a request that met too many others is repeated. */
export function waitMs(retryAfter: string | null, attempt: number): number {
  const seconds = retryAfter === null ? Number.NaN : Number(retryAfter);
  return (Number.isFinite(seconds) && seconds >= 0 ? Math.min(seconds, 10) * 1_000 : 500) * (attempt + 1);
}

async function failure(response: Response): Promise<ApiError> {
  let detail = `The manager answered ${response.status}.`;
  try {
    const problem = (await response.json()) as Partial<Problem>;
    if (typeof problem.detail === 'string') detail = `${problem.title ?? 'Problem'}: ${problem.detail}`;
  } catch {
    // Not a problem document; the status has to do.
  }
  return new ApiError(response.status, detail, response.headers.get('retry-after'));
}

/** How often a request is repeated that the manager has no time for. */
const PATIENCE = 3;

export async function getJson<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await getOnce<T>(path, query, signal);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 429 || attempt >= PATIENCE) throw error;
      await new Promise((done) => setTimeout(done, waitMs(error.retryAfter, attempt)));
      signal?.throwIfAborted();
    }
  }
}

async function getOnce<T>(path: string, query: Query, signal?: AbortSignal): Promise<T> {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(TIMED_OUT), TIMEOUT_MS);
  const both = signal === undefined ? patience.signal : AbortSignal.any([signal, patience.signal]);
  try {
    const response = await send(withQuery(path, query), 'application/json', {}, both);
    if (!response.ok) throw await failure(response);
    return (await response.json()) as T;
  } finally {
    clearTimeout(timer);
  }
}

/** Opens the stream of events; the answer is whole only when the manager ends it. */
export async function openStream(path: string, lastEventId: string, signal: AbortSignal): Promise<Response> {
  const headers: Record<string, string> = lastEventId === '' ? {} : { 'Last-Event-ID': lastEventId };
  const response = await send(path, 'text/event-stream', headers, signal);
  if (!response.ok) throw await failure(response);
  return response;
}
