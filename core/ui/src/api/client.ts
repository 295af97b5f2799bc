// The endpoints that the dashboard reads.

import { Gate, getJson, type Query } from './http';
import type {
  Alarm,
  ComponentDetail,
  ComponentSummary,
  HandlerView,
  Health,
  HistoryView,
  LastValue,
  NetworkEntry,
  OperatorState,
  Page,
  PolicyView,
  Severity,
} from './types';

const PAGE = 500;

/** The manager lets few read what is stored at a time, all dashboards together. */
const stored = new Gate(2);

/** A list, page by page, up to about `most` items. */
export interface Listing<T> {
  items: T[];
  /** There are more than were asked for. */
  more: boolean;
}

export async function list<T>(path: string, query: Query, most: number, signal?: AbortSignal): Promise<Listing<T>> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const limit = Math.min(PAGE, most - items.length);
    const page: Page<T> = await getJson(path, { ...query, cursor, limit }, signal);
    items.push(...page.items);
    cursor = page.next ?? undefined;
  } while (cursor !== undefined && items.length < most);
  return { items, more: cursor !== undefined };
}

const whole = async <T>(path: string, signal?: AbortSignal): Promise<T[]> =>
  (await getJson<Page<T>>(path, {}, signal)).items;

/** What the API itself can filter alarms by. */
export interface AlarmQuery {
  severity?: Severity | undefined;
  cleared?: boolean | undefined;
  component?: string | undefined;
  type?: string | undefined;
  operatorState?: OperatorState | undefined;
}

export function splitRef(component: string): [string, string] {
  const slash = component.indexOf('/');
  return [component.slice(0, slash), component.slice(slash + 1)];
}

function componentPath(component: string): string {
  const [point, id] = splitRef(component);
  return `components/${encodeURIComponent(point)}/${encodeURIComponent(id)}`;
}

export const api = {
  health: (signal?: AbortSignal) => getJson<Health>('health', {}, signal),
  alarms: (query: AlarmQuery, most: number, signal?: AbortSignal) =>
    list<Alarm>('alarms', { ...query }, most, signal),
  alarm: (id: number, signal?: AbortSignal) => getJson<Alarm>(`alarms/${id}`, {}, signal),
  components: (signal?: AbortSignal) => list<ComponentSummary>('components', {}, 10_000, signal),
  component: (component: string, signal?: AbortSignal) =>
    getJson<ComponentDetail>(componentPath(component), {}, signal),
  history: (
    component: string,
    of: { name: string; resource: string; from: string; step: string },
    signal?: AbortSignal,
  ) =>
    stored.pass(async () => {
      signal?.throwIfAborted();
      return getJson<HistoryView>(`${componentPath(component)}/history`, { ...of }, signal);
    }),
  values: (name: string, signal?: AbortSignal) => list<LastValue>('values', { name }, 5_000, signal),
  topology: (signal?: AbortSignal) => list<NetworkEntry>('topology', {}, 10_000, signal),
  inventory: (query: { component?: string; name?: string }, signal?: AbortSignal) =>
    list<NetworkEntry>('inventory', query, 10_000, signal),
  handlers: (signal?: AbortSignal) => whole<HandlerView>('handlers', signal),
  policies: (signal?: AbortSignal) => whole<PolicyView>('policies', signal),
};
