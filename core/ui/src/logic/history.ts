// A value's history as a plot takes it.

import type { HistoryView, ReportedValue } from '../api/types';

/** Spans that can be chosen, with the length of a step: some hundreds of steps each. */
export const SPANS = {
  '5m': { ms: 300_000, step: '1s', stepMs: 1_000, word: '5 min' },
  '15m': { ms: 900_000, step: '2s', stepMs: 2_000, word: '15 min' },
  '1h': { ms: 3_600_000, step: '10s', stepMs: 10_000, word: '1 h' },
  '6h': { ms: 21_600_000, step: '1m', stepMs: 60_000, word: '6 h' },
  '24h': { ms: 86_400_000, step: '5m', stepMs: 300_000, word: '24 h' },
  '7d': { ms: 604_800_000, step: '30m', stepMs: 1_800_000, word: '7 d' },
  '30d': { ms: 2_592_000_000, step: '2h', stepMs: 7_200_000, word: '30 d' },
} as const;
export type Span = keyof typeof SPANS;
export const SPAN_NAMES = Object.keys(SPANS) as Span[];
export const DEFAULT_SPAN: Span = '1h';

/** Columns of a plot; null breaks the line. Times in seconds. */
export interface Series {
  times: number[];
  mean: (number | null)[];
  min: (number | null)[];
  max: (number | null)[];
}

export interface Summary {
  min: number;
  max: number;
  last: number;
}

const number = (value: ReportedValue | undefined): number | undefined => (typeof value === 'number' ? value : undefined);

/** What lies between two steps without a report, as a multiple of the usual distance, before the line is broken. */
const GAP = 4;

function usualDistance(times: readonly number[], least: number): number {
  const distances = times.slice(1).map((time, index) => time - times[index]!).sort((a, b) => a - b);
  return Math.max(least, distances[Math.floor(distances.length / 2)] ?? least);
}

/** Numbers of a history, with a break wherever nothing was reported for long. */
export function seriesOf(view: HistoryView): Series {
  const points = view.points.flatMap((point) => {
    const mean = point.mean ?? number(point.value) ?? number(point.last);
    if (mean === undefined) return [];
    return [{ time: Date.parse(point.time) / 1_000, mean, min: point.min ?? mean, max: point.max ?? mean }];
  });
  const distance = usualDistance(points.map((point) => point.time), (view.stepMs ?? 0) / 1_000);
  const series: Series = { times: [], mean: [], min: [], max: [] };
  let before: number | undefined;
  for (const { time, mean, min, max } of points) {
    if (before !== undefined && time - before > GAP * distance) {
      series.times.push(before + distance);
      series.mean.push(null);
      series.min.push(null);
      series.max.push(null);
    }
    series.times.push(time);
    series.mean.push(mean);
    series.min.push(min);
    series.max.push(max);
    before = time;
  }
  return series;
}

export function summaryOf(series: Series): Summary | undefined {
  const known = (values: readonly (number | null)[]) => values.filter((value) => value !== null);
  const [min, max, mean] = [known(series.min), known(series.max), known(series.mean)];
  const last = mean.at(-1);
  if (last === undefined) return undefined;
  return { min: min.reduce((a, b) => Math.min(a, b)), max: max.reduce((a, b) => Math.max(a, b)), last };
}

/** The range that a plot shows: all values and limits, with some room; not blown up where values hardly differ. */
export function rangeOf(series: Series, limits: readonly number[]): [number, number] {
  const summary = summaryOf(series);
  const ends = [...limits, ...(summary === undefined ? [] : [summary.min, summary.max])];
  if (ends.length === 0) return [0, 1];
  const [low, high] = [ends.reduce((a, b) => Math.min(a, b)), ends.reduce((a, b) => Math.max(a, b))];
  const room = (high - low) * 0.08 || Math.abs(high) * 0.05 || 1;
  // Nothing of this kind falls below zero if it has not.
  return [low >= 0 ? Math.max(0, low - room) : low - room, high + room];
}

/** A stretch of time in which a word was reported. */
export interface Stretch {
  from: number;
  to: number;
  word: string;
}

/** A history of words or flags as stretches of the same word. The last one lasts until the end. */
export function stretchesOf(view: HistoryView): Stretch[] {
  const stretches: Stretch[] = [];
  const end = Date.parse(view.to);
  for (const point of view.points) {
    const value = point.last ?? point.value;
    if (value === undefined) continue;
    const at = Date.parse(point.time);
    const word = String(value) || '?';
    const last = stretches.at(-1);
    if (last !== undefined) last.to = at;
    if (last?.word !== word) stretches.push({ from: at, to: end, word });
    else last.to = end;
  }
  return stretches;
}
