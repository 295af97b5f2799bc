// Lists of alarms: which alarms meet a query, and a list with some of its alarms changed.

import type { AlarmQuery } from '../api/client';
import {
  FUNCTIONS,
  REFERENCE_POINTS,
  SEVERITIES,
  type Alarm,
  type FcapsFunction,
  type OperatorState,
  type PolicyView,
  type ReferencePoint,
  type Severity,
} from '../api/types';
import { functionOf, policyOf } from './fcaps';

/** The API's own rules. */
export function meets(alarm: Alarm, query: AlarmQuery): boolean {
  const { severity, cleared, component, type, operatorState } = query;
  return (
    (severity === undefined || SEVERITIES.indexOf(alarm.severity) <= SEVERITIES.indexOf(severity)) &&
    (cleared === undefined || alarm.isCleared === cleared) &&
    (component === undefined || alarm.component === component) &&
    (type === undefined || alarm.alarmTypeId === type) &&
    (operatorState === undefined || alarm.operatorState === operatorState)
  );
}

/** The list with changed alarms in it, or no longer in it; the newest alarm first, as the API has it. */
export function mergeAlarms(list: readonly Alarm[], changed: readonly Alarm[], query: AlarmQuery): Alarm[] {
  const ids = new Set(changed.map((alarm) => alarm.id));
  const kept = list.filter((alarm) => !ids.has(alarm.id));
  return [...kept, ...changed.filter((alarm) => meets(alarm, query))].sort((a, b) => b.id - a.id);
}

/** The filter of the alarm view, as its address holds it. */
export interface AlarmFilter {
  state: 'raised' | 'cleared' | 'all';
  severity: Severity | undefined;
  operator: OperatorState | undefined;
  point: ReferencePoint | undefined;
  function: FcapsFunction | undefined;
  component: string | undefined;
  type: string | undefined;
  policy: string | undefined;
  text: string;
}

const among = <T extends string>(words: readonly T[], value: string | null): T | undefined =>
  words.find((word) => word === value);

const filled = (value: string | null): string | undefined => (value === null || value === '' ? undefined : value);

export function readFilter(parameters: URLSearchParams): AlarmFilter {
  return {
    state: among(['raised', 'cleared', 'all'] as const, parameters.get('state')) ?? 'raised',
    severity: among(SEVERITIES, parameters.get('severity')),
    operator: among(['none', 'acknowledged', 'closed'] as const, parameters.get('operator')),
    point: among(REFERENCE_POINTS, parameters.get('point')),
    function: among(FUNCTIONS, parameters.get('function')),
    component: filled(parameters.get('component')),
    type: filled(parameters.get('type')),
    policy: filled(parameters.get('policy')),
    text: parameters.get('text') ?? '',
  };
}

/** The part of the filter that the API applies. */
export function queryOf(filter: AlarmFilter): AlarmQuery {
  return {
    cleared: filter.state === 'all' ? undefined : filter.state === 'cleared',
    severity: filter.severity,
    component: filter.component,
    type: filter.type,
    operatorState: filter.operator,
  };
}

/** The part that is left. */
export function passes(alarm: Alarm, filter: AlarmFilter, policies: readonly PolicyView[]): boolean {
  if (filter.point !== undefined && !alarm.component.startsWith(`${filter.point}/`)) return false;
  if (filter.function !== undefined && functionOf(alarm, policies) !== filter.function) return false;
  if (filter.policy !== undefined && policyOf(alarm) !== filter.policy) return false;
  const needle = filter.text.trim().toLowerCase();
  if (needle === '') return true;
  const parts = [alarm.component, alarm.resource, alarm.alarmTypeId, alarm.text, alarm.probableCause, alarm.raisedBy];
  return parts.some((part) => part.toLowerCase().includes(needle));
}

/** When it was cleared, if it is: the time of the newest change to no severity. */
export function clearedAt(alarm: Alarm): string | undefined {
  return alarm.isCleared ? alarm.statusChanges.find((change) => change.severity === null)?.time : undefined;
}

/** The text and time of the newest change that was not a clearance: what was wrong, where the alarm is cleared. */
export function lastTrouble(alarm: Alarm): string {
  return (alarm.isCleared ? alarm.statusChanges.find((change) => change.severity !== null)?.text : undefined) ?? alarm.text;
}
