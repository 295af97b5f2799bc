// Limits of a value and times when it was beyond them, as far as its alarms tell.

import type { Alarm, PolicyView } from '../api/types';

const NAME = /\b[a-z][a-z0-9]*(?:_[a-z0-9]+)+\b/g;

const texts = (alarm: Alarm): string[] => [alarm.text, ...alarm.statusChanges.map((change) => change.text)];

/** The value that an alarm with a threshold speaks of. No field says it; its text begins with the name of it. */
export function namedValue(alarm: Alarm): string | undefined {
  if (alarm.threshold === null || alarm.observed === null) return undefined;
  for (const text of texts(alarm)) {
    const name = text.match(NAME)?.[0];
    if (name !== undefined && text.startsWith(name)) return name;
  }
  return undefined;
}

export interface Limit {
  value: number;
  /** On which side values are bad. */
  bad: 'above' | 'below';
  /** Where an alarm is raised, or cleared again. */
  at: 'raise' | 'clear';
}

export interface Episode {
  from: number;
  /** Absent: still raised. */
  to: number | undefined;
  alarm: Alarm;
}

export function alarmsOf(alarms: readonly Alarm[], name: string, resource: string): Alarm[] {
  return alarms.filter((alarm) => alarm.resource === resource && namedValue(alarm) === name);
}

const RULES = [
  ['raise_above', 'above', 'raise'],
  ['raise_below', 'below', 'raise'],
  ['clear_below', 'above', 'clear'],
  ['clear_above', 'below', 'clear'],
] as const;

/** Limits that policies have in their configurations, after the keys of the policy `threshold`. */
export function configuredLimits(policies: readonly PolicyView[], name: string): Limit[] {
  return policies.flatMap(({ config, mode }) => {
    if (config === undefined || config['value'] !== name || mode === 'off') return [];
    return RULES.flatMap(([key, bad, at]): Limit[] => {
      const value = config[key];
      return typeof value === 'number' ? [{ value, bad, at }] : [];
    });
  });
}

/** Limits of a value: those of policies, and those that its alarms tell of. Each once. */
export function limitsOf(alarms: readonly Alarm[], configured: readonly Limit[] = []): Limit[] {
  const limits = [...configured];
  for (const alarm of alarms) {
    const { threshold, observed } = alarm;
    if (threshold === null || observed === null || limits.some((limit) => limit.value === threshold)) continue;
    limits.push({ value: threshold, bad: observed >= threshold ? 'above' : 'below', at: 'raise' });
  }
  return limits;
}

/** Times when alarms were raised, from their histories. */
export function episodesOf(alarms: readonly Alarm[]): Episode[] {
  const episodes: Episode[] = [];
  for (const alarm of alarms) {
    let from: number | undefined;
    for (const change of [...alarm.statusChanges].reverse()) {
      const at = Date.parse(change.time);
      if (change.severity !== null) from ??= at;
      else if (from !== undefined) {
        episodes.push({ from, to: at, alarm });
        from = undefined;
      }
    }
    if (from !== undefined && !alarm.isCleared) episodes.push({ from, to: undefined, alarm });
  }
  return episodes.sort((a, b) => a.from - b.from);
}
