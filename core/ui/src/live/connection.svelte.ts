// The connection to the manager: the stream of events, or asking every few seconds where there is none. What changed is
// told to whoever listens.

import { ApiError, observe, openStream } from '../api/http';
import { setManagerOffset } from './clock.svelte';
import { changeOf, type Change } from './change';
import { EventParser } from './sse';

export const POLL_MS = 5_000;
/** With a stream, everything is asked anew so often, since events do not tell everything: plugins, connections. */
const SAFETY_MS = 20_000;
/** Where the manager has no stream, it is looked for again so often: it may have been replaced by a newer one. */
const LOOK_AGAIN_MS = 60_000;
/** A stream on which nothing comes, not even a comment, for so long is given up. */
const QUIET_MS = 60_000;
/** A page that nobody sees lets go of its stream after so long: browsers open few connections to one host. */
const HIDDEN_MS = 10_000;
const RETRY_MS = [1_000, 2_000, 5_000, 10_000];

export type Mode = 'connecting' | 'live' | 'polling';

type Listener = (change: Change) => void;

/** Waits until somebody sees the page. */
function seen(): Promise<void> {
  if (!document.hidden) return Promise.resolve();
  return new Promise((done) => {
    const look = () => {
      if (document.hidden) return;
      document.removeEventListener('visibilitychange', look);
      done();
    };
    document.addEventListener('visibilitychange', look);
  });
}

/** Does something once the page has been hidden for so long; what is returned takes that back. */
function whileHidden(ms: number, action: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const look = () => {
    clearTimeout(timer);
    if (document.hidden) timer = setTimeout(action, ms);
  };
  document.addEventListener('visibilitychange', look);
  look();
  return () => {
    clearTimeout(timer);
    document.removeEventListener('visibilitychange', look);
  };
}

class Connection {
  mode = $state<Mode>('connecting');
  /** Time of the last answer, 0: none yet. */
  lastAnswer = $state(0);
  /** Since when nothing is answered, 0: it is. */
  missingSince = $state(0);
  /** The manager wants a token for reading, or another one. */
  refused = $state(false);

  readonly #listeners = new Set<Listener>();
  #lastEventId = '';
  #started = false;

  start(): void {
    if (this.#started) return;
    this.#started = true;
    observe({
      answered: (status, offset) => {
        this.lastAnswer = Date.now();
        this.missingSince = 0;
        this.refused = status === 401 || status === 403;
        if (offset !== undefined) setManagerOffset(offset);
      },
      missed: () => {
        if (this.missingSince === 0) this.missingSince = this.lastAnswer || Date.now();
      },
    });
    void this.#follow();
    this.#tick(Date.now());
  }

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(change: Change): void {
    for (const listener of [...this.#listeners]) listener(change);
  }

  /** Asks for everything every few seconds, seldom while a stream is open. */
  #tick(last: number): void {
    setTimeout(() => {
      const due = Date.now() - last >= (this.mode === 'live' ? SAFETY_MS : POLL_MS) - 50;
      if (due) this.#tell({ kind: 'all' });
      this.#tick(due ? Date.now() : last);
    }, POLL_MS);
  }

  async #follow(): Promise<void> {
    for (let failed = 0; ; ) {
      let wait: number;
      try {
        const retry = await this.#stream();
        failed = 0;
        wait = retry ?? RETRY_MS[0]!;
      } catch (error) {
        const none = error instanceof ApiError && [404, 405, 406, 501].includes(error.status);
        wait = none ? LOOK_AGAIN_MS : RETRY_MS[Math.min(failed, RETRY_MS.length - 1)]!;
        failed += 1;
      }
      if (this.mode === 'live' && !document.hidden) this.#tell({ kind: 'all' });
      this.mode = 'polling';
      await new Promise((done) => setTimeout(done, wait));
      await seen();
    }
  }

  /** Follows one stream to its end; the time that the manager wants passed before the next. */
  async #stream(): Promise<number | undefined> {
    const stop = new AbortController();
    const quiet = () => setTimeout(() => stop.abort('quiet'), QUIET_MS);
    let watch = quiet();
    const unseen = whileHidden(HIDDEN_MS, () => stop.abort('hidden'));
    const parser = new EventParser(this.#lastEventId);
    try {
      const response = await openStream('events', this.#lastEventId, stop.signal);
      if (!(response.headers.get('content-type') ?? '').startsWith('text/event-stream') || response.body === null) {
        throw new ApiError(404, 'no stream of events');
      }
      // Without a place to go on from, whatever came between the first answers and the stream would be missed.
      if (this.#lastEventId === '') this.#tell({ kind: 'all' });
      this.mode = 'live';
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { done, value } = await reader.read();
        clearTimeout(watch);
        if (done) return parser.retryMs;
        watch = quiet();
        this.lastAnswer = Date.now();
        this.missingSince = 0;
        for (const event of parser.push(value)) {
          const change = changeOf(event);
          if (change !== undefined) this.#tell(change);
        }
        this.#lastEventId = parser.lastEventId;
      }
    } finally {
      clearTimeout(watch);
      unseen();
      stop.abort('over');
    }
  }
}

export const connection = new Connection();
