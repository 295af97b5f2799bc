// How bad things are, in order, with a sign and a word each: colour is never the only sign.

import { SEVERITIES, type Alarm, type ComponentSummary, type Severity } from '../api/types';

/** A severity, or what holds where no alarm is raised. */
export type State = Severity | 'offline' | 'waiting' | 'ok' | 'none';

/** The worst first. */
export const STATES: readonly State[] = [...SEVERITIES, 'offline', 'waiting', 'ok', 'none'];

export const SIGNS: Record<State, string> = {
  critical: '✖',
  major: '▲',
  minor: '◆',
  warning: '●',
  indeterminate: '?',
  offline: '○',
  waiting: '…',
  ok: '✓',
  none: '–',
};

export const WORDS: Record<State, string> = {
  critical: 'critical',
  major: 'major',
  minor: 'minor',
  warning: 'warning',
  indeterminate: 'indeterminate',
  offline: 'not connected',
  waiting: 'no report yet',
  ok: 'ok',
  none: 'nothing known',
};

export function rank(state: State): number {
  return STATES.indexOf(state);
}

export function worst(states: Iterable<State>): State {
  let found: State = 'none';
  for (const state of states) if (rank(state) < rank(found)) found = state;
  return found;
}

export const SILENT = 'component-silent';

/** Components that the manager says are silent. */
export function silentComponents(raised: readonly Alarm[]): ReadonlySet<string> {
  return new Set(raised.filter((alarm) => !alarm.isCleared && alarm.alarmTypeId === SILENT).map((a) => a.component));
}

export function stateOf(component: ComponentSummary): State {
  if (component.worstAlarm !== null) return component.worstAlarm;
  if (component.connectionCount === 0) return 'offline';
  return component.lastReport === null ? 'waiting' : 'ok';
}

/** The worst first; of the same severity, what needs somebody before what has somebody, then the newest. */
export function byUrgency(a: Alarm, b: Alarm): number {
  const handled = (alarm: Alarm) => (alarm.operatorState === 'none' ? 0 : alarm.operatorState === 'acknowledged' ? 1 : 2);
  return (
    Number(a.isCleared) - Number(b.isCleared) ||
    Number(handled(a) === 2) - Number(handled(b) === 2) ||
    rank(a.severity) - rank(b.severity) ||
    handled(a) - handled(b) ||
    Date.parse(b.lastRaised) - Date.parse(a.lastRaised) ||
    b.id - a.id
  );
}
