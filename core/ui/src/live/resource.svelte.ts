// Something of the API that a view shows and that is asked for anew when it may have changed.

import { ApiError } from '../api/http';
import type { Change } from './change';
import { connection } from './connection.svelte';

/** Changes within this time are asked for together. */
const TOGETHER_MS = 250;
/** No more than this share of the time goes into loading one thing. */
const SHARE = 10;

export interface ResourceOptions {
  /** Whether a change may concern it; without it, only `all` does. */
  affects?: (change: Change) => boolean;
  /** Not loaded again before so much time has passed. */
  leastMs?: number;
}

export class Resource<T> {
  value = $state.raw<T | undefined>(undefined);
  error = $state.raw<ApiError | undefined>(undefined);
  /** When `value` was loaded (the browser's clock), 0: not yet. */
  at = $state(0);

  readonly #load: (signal: AbortSignal) => Promise<T>;
  readonly #options: ResourceOptions;
  #stop: AbortController | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running = false;
  #again = false;
  #began = 0;
  #tookMs = 0;

  constructor(load: (signal: AbortSignal) => Promise<T>, options: ResourceOptions = {}) {
    this.#load = load;
    this.#options = options;
  }

  /** Loads, and keeps up to date until the function that is returned is called. For `$effect`. */
  run(): () => void {
    const stop = new AbortController();
    this.#stop = stop;
    const deaf = connection.listen((change) => {
      if (change.kind === 'all' || this.#options.affects?.(change) === true) this.refresh();
    });
    void this.#now(stop);
    return () => {
      deaf();
      clearTimeout(this.#timer);
      this.#timer = undefined;
      stop.abort('left');
    };
  }

  /** Loads again soon. */
  refresh(): void {
    const stop = this.#stop;
    if (stop === undefined || stop.signal.aborted) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    if (this.#timer !== undefined) return;
    const gap = Math.max(this.#options.leastMs ?? 0, this.#tookMs * SHARE);
    const wait = Math.max(TOGETHER_MS, this.#began + gap - Date.now());
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#now(stop);
    }, wait);
  }

  async #now(stop: AbortController): Promise<void> {
    this.#running = true;
    this.#again = false;
    this.#began = Date.now();
    try {
      const value = await this.#load(stop.signal);
      if (stop.signal.aborted) return;
      this.value = value;
      this.error = undefined;
      this.at = Date.now();
    } catch (error) {
      if (stop.signal.aborted) return;
      this.error = error instanceof ApiError ? error : new ApiError(0, 'The answer could not be read.');
    } finally {
      this.#tookMs = Date.now() - this.#began;
      this.#running = false;
      if (this.#again && !stop.signal.aborted) this.refresh();
    }
  }
}
