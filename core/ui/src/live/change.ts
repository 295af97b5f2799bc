// What an event says: that something changed. An alarm comes with it as it is now; of everything else, the API is asked.

import type { Alarm } from '../api/types';
import type { ServerEvent } from './sse';

export type Change =
  /** Anything may have changed. */
  | { kind: 'all' }
  | {
      kind: 'alarm';
      id: number | undefined;
      component: string | undefined;
      /** The alarm as it is now, where the event has it. */
      alarm: Alarm | undefined;
    }
  | {
      kind: 'components';
      /** Components that reported, or whose connection changed; undefined: any may have. */
      components: ReadonlySet<string> | undefined;
    };

type Fields = Record<string, unknown>;

const text = (value: unknown): string | undefined => (typeof value === 'string' && value !== '' ? value : undefined);

function number(value: unknown): number | undefined {
  const parsed = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value;
  return typeof parsed === 'number' && Number.isSafeInteger(parsed) ? parsed : undefined;
}

/** Whether it is an alarm with all that views rely on. */
function isAlarm(data: Fields): boolean {
  const texts = ['component', 'resource', 'alarmTypeId', 'severity', 'text', 'lastRaised', 'raisedBy'];
  const lists = ['repairActions', 'additionalInformation', 'statusChanges', 'operatorActions'];
  return (
    number(data['id']) !== undefined &&
    typeof data['isCleared'] === 'boolean' &&
    texts.every((name) => typeof data[name] === 'string') &&
    lists.every((name) => Array.isArray(data[name]))
  );
}

function componentsOf(data: Fields): ReadonlySet<string> | undefined {
  const single = text(data['component']);
  if (single !== undefined) return new Set([single]);
  const named = data['components'];
  if (!Array.isArray(named) || (number(data['more']) ?? 0) > 0) return undefined;
  return new Set(named.filter((name) => typeof name === 'string'));
}

/** The change that an event tells of; none if this dashboard does not know such events. */
export function changeOf(event: ServerEvent): Change | undefined {
  if (event.event === 'resync') return { kind: 'all' };
  let data: Fields = {};
  try {
    const parsed: unknown = JSON.parse(event.data);
    if (typeof parsed === 'object' && parsed !== null) data = parsed as Fields;
  } catch {
    // An event whose data cannot be read still says that something of its kind changed.
  }
  switch (event.event) {
    case 'alarm':
      return {
        kind: 'alarm',
        id: number(data['id'] ?? data['alarmId']),
        component: text(data['component']),
        alarm: isAlarm(data) ? (data as unknown as Alarm) : undefined,
      };
    case 'components':
    case 'component':
      return { kind: 'components', components: componentsOf(data) };
    default:
      return undefined;
  }
}

/** Whether a change concerns a component's reports or connection. */
export function tellsOf(change: Change, component: string): boolean {
  return change.kind === 'components' && (change.components === undefined || change.components.has(component));
}
