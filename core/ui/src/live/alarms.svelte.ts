// A list of alarms that meet a query. An event brings the alarm that changed, or names it; then only that one is asked for.

import { api, type AlarmQuery, type Listing } from '../api/client';
import { ApiError } from '../api/http';
import type { Alarm } from '../api/types';
import { mergeAlarms } from '../logic/alarms';
import { connection } from './connection.svelte';
import { Resource } from './resource.svelte';

const TOGETHER_MS = 200;
/** More changed alarms than this at a time: the list is asked for as a whole. */
const SINGLY = 20;

export class AlarmList {
  readonly #query: AlarmQuery;
  readonly #most: number;
  readonly #all: Resource<Listing<Alarm>>;
  /** Changed alarms, by ID; undefined: to be asked for. */
  readonly #changed = new Map<number, Alarm | undefined>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(query: AlarmQuery, most: number) {
    this.#query = query;
    this.#most = most;
    this.#all = new Resource((signal) => api.alarms(query, most, signal), {
      affects: (change) => change.kind === 'alarm' && change.id === undefined,
    });
  }

  get items(): Alarm[] {
    return this.#all.value?.items ?? [];
  }
  get more(): boolean {
    return this.#all.value?.more ?? false;
  }
  get loaded(): boolean {
    return this.#all.value !== undefined;
  }
  get error(): ApiError | undefined {
    return this.#all.error;
  }
  get at(): number {
    return this.#all.at;
  }

  run(): () => void {
    const stop = this.#all.run();
    const deaf = connection.listen((change) => {
      if (change.kind !== 'alarm' || change.id === undefined) return;
      if (this.#query.component !== undefined && change.component !== undefined) {
        if (change.component !== this.#query.component) return;
      }
      this.#changed.set(change.id, change.alarm);
      this.#timer ??= setTimeout(() => void this.#takeIn(), TOGETHER_MS);
    });
    return () => {
      deaf();
      clearTimeout(this.#timer);
      this.#timer = undefined;
      stop();
    };
  }

  async #takeIn(): Promise<void> {
    this.#timer = undefined;
    const told = [...this.#changed];
    this.#changed.clear();
    const untold = told.filter(([, alarm]) => alarm === undefined).length;
    if (untold > SINGLY || this.#all.value === undefined) return this.#all.refresh();
    try {
      const changed = await Promise.all(told.map(async ([id, alarm]) => alarm ?? (await api.alarm(id))));
      const now = this.#all.value;
      this.#all.value = { ...now, items: mergeAlarms(now.items, changed, this.#query).slice(0, this.#most) };
      this.#all.at = Date.now();
    } catch {
      this.#all.refresh();
    }
  }
}
