import { describe, expect, it } from 'vitest';
import type { HistoryView } from '../api/types';
import { alarm, policy } from '../testing/samples';
import { rangeOf, seriesOf, stretchesOf, summaryOf } from './history';
import { alarmsOf, configuredLimits, episodesOf, limitsOf, namedValue } from './thresholds';

const at = (seconds: number) => new Date(seconds * 1_000).toISOString();

function view(points: HistoryView['points'], stepMs?: number): HistoryView {
  return { component: 'mq/a', name: 'n', from: at(0), to: at(100), level: 'raw', points, ...(stepMs === undefined ? {} : { stepMs }) };
}

describe('a series', () => {
  it('is made of samples and of steps', () => {
    const samples = seriesOf(view([{ time: at(1), value: 2 }, { time: at(2), value: 3 }]));
    expect(samples).toEqual({ times: [1, 2], mean: [2, 3], min: [2, 3], max: [2, 3] });
    const steps = seriesOf(view([{ time: at(10), min: 1, max: 3, mean: 2, last: 3, count: 4 }], 10_000));
    expect(steps).toEqual({ times: [10], mean: [2], min: [1], max: [3] });
    expect(summaryOf(steps)).toEqual({ min: 1, max: 3, last: 2 });
  });

  it('breaks where nothing was reported', () => {
    const series = seriesOf(view([1, 2, 3, 30, 31].map((time) => ({ time: at(time), value: 1 }))));
    expect(series.times).toEqual([1, 2, 3, 4, 30, 31]);
    expect(series.mean).toEqual([1, 1, 1, null, 1, 1]);
  });

  it('does not break where reports are seldom', () => {
    const series = seriesOf(view([0, 30, 60, 90].map((time) => ({ time: at(time), value: 1 })), 1_000));
    expect(series.mean).not.toContain(null);
  });

  it('may be empty', () => {
    const empty = seriesOf(view([]));
    expect(summaryOf(empty)).toBeUndefined();
    expect(rangeOf(empty, [])).toEqual([0, 1]);
  });

  it('is shown with its limits, not below zero without need', () => {
    const series = seriesOf(view([{ time: at(1), value: 0.03 }, { time: at(2), value: 0.04 }]));
    const [low, high] = rangeOf(series, [0.06]);
    expect(low).toBeGreaterThan(0);
    expect(low).toBeLessThan(0.03);
    expect(high).toBeGreaterThan(0.06);
    const flat = seriesOf(view([{ time: at(1), value: 0 }]));
    expect(rangeOf(flat, [])).toEqual([0, 1]);
  });
});

describe('stretches', () => {
  it('join what is the same', () => {
    const words = ['up', 'up', 'down', 'up'].map((last, index) => ({ time: at(index * 10), last, count: 1 }));
    expect(stretchesOf(view(words, 10_000))).toEqual([
      { from: 0, to: 20_000, word: 'up' },
      { from: 20_000, to: 30_000, word: 'down' },
      { from: 30_000, to: 100_000, word: 'up' },
    ]);
    expect(stretchesOf(view([{ time: at(1), value: false }]))[0]?.word).toBe('false');
  });
});

describe('limits', () => {
  const cleared = alarm({
    isCleared: true,
    text: 'qber_ratio 0.04 is below 0.05',
    statusChanges: [
      { time: at(30), severity: null, text: 'qber_ratio 0.04 is below 0.05' },
      { time: at(20), severity: 'critical', text: 'qber_ratio 0.12 is above 0.06' },
      { time: at(10), severity: 'major', text: 'qber_ratio 0.08 is above 0.06' },
    ],
  });

  it('belong to the value that the text begins with', () => {
    expect(namedValue(cleared)).toBe('qber_ratio');
    expect(namedValue(alarm({ text: '1.17 Mbit left of key_store_level_bits' }))).toBeUndefined();
    expect(namedValue(alarm({ threshold: null }))).toBeUndefined();
    expect(alarmsOf([cleared], 'qber_ratio', '')).toHaveLength(1);
    expect(alarmsOf([cleared], 'qber_ratio', 'link-1')).toHaveLength(0);
  });

  it('are drawn once, with their bad side', () => {
    expect(limitsOf([cleared, alarm()]).map(({ value, bad }) => [value, bad])).toEqual([[0.06, 'above']]);
    expect(limitsOf([alarm({ observed: 900, threshold: 1_000 })])[0]?.bad).toBe('below');
  });

  it('come from policies where their configuration is shown', () => {
    const shown = policy({ config: { value: 'qber_ratio', raise_above: 0.06, clear_below: 0.05, hold_off: '1s' } });
    const configured = configuredLimits([shown, policy(), { ...shown, mode: 'off' }], 'qber_ratio');
    expect(configured).toEqual([
      { value: 0.06, bad: 'above', at: 'raise' },
      { value: 0.05, bad: 'above', at: 'clear' },
    ]);
    expect(limitsOf([alarm()], configured)).toEqual(configured);
    expect(configuredLimits([shown], 'link_loss_db')).toEqual([]);
  });

  it('were crossed from the first raise to the clearance', () => {
    expect(episodesOf([cleared]).map(({ from, to }) => [from, to])).toEqual([[10_000, 30_000]]);
    const again = { ...cleared, isCleared: false, statusChanges: [{ time: at(50), severity: 'major' as const, text: '' }, ...cleared.statusChanges] };
    expect(episodesOf([again]).map(({ from, to }) => [from, to])).toEqual([
      [10_000, 30_000],
      [50_000, undefined],
    ]);
    // Histories are bounded: the oldest change kept may be a clearance.
    expect(episodesOf([{ ...cleared, statusChanges: cleared.statusChanges.slice(0, 1) }])).toEqual([]);
  });
});
