// The overview's two tables: by reference point and by FCAPS function.

import {
  FUNCTIONS,
  REFERENCE_POINTS,
  type Alarm,
  type ComponentSummary,
  type FcapsFunction,
  type LastValue,
  type PolicyView,
  type ReferencePoint,
} from '../api/types';
import { functionOf } from './fcaps';
import { silentComponents, worst, type State } from './severity';

export interface PointRow {
  point: ReferencePoint;
  state: State;
  known: number;
  connected: number;
  silent: number;
  raised: number;
}

export function pointRows(components: readonly ComponentSummary[], raised: readonly Alarm[]): PointRow[] {
  const silent = silentComponents(raised);
  return REFERENCE_POINTS.map((point) => {
    const of = components.filter((component) => component.referencePoint === point);
    const alarms = raised.filter((alarm) => alarm.component.startsWith(`${point}/`));
    const connected = of.filter((component) => component.connectionCount > 0).length;
    const idle: State = of.length === 0 ? 'none' : connected < of.length ? 'offline' : 'ok';
    return {
      point,
      state: worst([idle, ...alarms.map((alarm) => alarm.severity)]),
      known: of.length,
      connected,
      silent: of.filter((component) => silent.has(component.component)).length,
      raised: alarms.length,
    };
  });
}

export interface FunctionRow {
  function: FcapsFunction;
  state: State;
  raised: number;
  /** Policies whose verdicts count. */
  policies: number;
  /** When the oldest of its raised alarms was raised. */
  since: string | undefined;
}

export function functionRows(raised: readonly Alarm[], policies: readonly PolicyView[]): FunctionRow[] {
  return FUNCTIONS.map((name) => {
    const alarms = raised.filter((alarm) => functionOf(alarm, policies) === name);
    const active = policies.filter((policy) => policy.function === name && policy.mode === 'active').length;
    return {
      function: name,
      // No alarm says nothing where nobody looks.
      state: worst([active === 0 ? 'none' : 'ok', ...alarms.map((alarm) => alarm.severity)]),
      raised: alarms.length,
      policies: active,
      since: oldest(alarms),
    };
  });
}

export function oldest(alarms: readonly Alarm[]): string | undefined {
  let found: string | undefined;
  for (const { lastRaised } of alarms) {
    if (found === undefined || Date.parse(lastRaised) < Date.parse(found)) found = lastRaised;
  }
  return found;
}

/** A value of the whole network: the sum, or the end of the scale that is worse. */
export interface KeyFigure {
  label: string;
  name: string;
  take: 'sum' | 'highest' | 'lowest';
}

/** Names of the catalogue that say most about a QKD network. What nobody reports is not shown. */
export const KEY_FIGURES: readonly KeyFigure[] = [
  { label: 'Highest QBER', name: 'qber_ratio', take: 'highest' },
  { label: 'Lowest secret key rate', name: 'secret_key_rate_bps', take: 'lowest' },
  { label: 'Lowest key store fill', name: 'key_store_fill_ratio', take: 'lowest' },
  { label: 'Highest key relay latency', name: 'relay_latency_ms', take: 'highest' },
];

export interface FigureOf {
  value: number;
  unit: string | undefined;
  /** Whose value it is; a sum is nobody's. */
  of: LastValue | undefined;
  count: number;
}

export function keyFigure(values: readonly LastValue[], take: KeyFigure['take']): FigureOf | undefined {
  const numbers = values.filter((value): value is LastValue & { value: number } => typeof value.value === 'number');
  const first = numbers[0];
  if (first === undefined) return undefined;
  if (take === 'sum') {
    const sum = numbers.reduce((total, { value }) => total + value, 0);
    return { value: sum, unit: first.unit, of: undefined, count: numbers.length };
  }
  const better = take === 'highest' ? (a: number, b: number) => a > b : (a: number, b: number) => a < b;
  const chosen = numbers.reduce((best, value) => (better(value.value, best.value) ? value : best), first);
  return { value: chosen.value, unit: chosen.unit, of: chosen, count: numbers.length };
}
