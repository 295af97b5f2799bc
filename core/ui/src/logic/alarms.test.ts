import { describe, expect, it } from 'vitest';
import { alarm, component, policy } from '../testing/samples';
import { clearedAt, lastTrouble, meets, mergeAlarms, passes, queryOf, readFilter } from './alarms';
import { functionOf } from './fcaps';
import { keyFigure, functionRows, oldest, pointRows } from './overview';
import { byUrgency, silentComponents, stateOf, worst } from './severity';

describe('a list of alarms', () => {
  it('takes changed alarms in and lets go of those that no longer meet its query', () => {
    const list = [alarm({ id: 3 }), alarm({ id: 2 }), alarm({ id: 1 })];
    const merged = mergeAlarms(list, [alarm({ id: 2, isCleared: true }), alarm({ id: 4 }), alarm({ id: 3, text: 'worse' })], { cleared: false });
    expect(merged.map(({ id, text }) => [id, text === 'worse'])).toEqual([
      [4, false],
      [3, true],
      [1, false],
    ]);
  });

  it('is filtered as the API does it', () => {
    const major = alarm();
    expect(meets(major, {})).toBe(true);
    expect(meets(major, { severity: 'minor' })).toBe(true);
    expect(meets(major, { severity: 'major' })).toBe(true);
    expect(meets(major, { severity: 'critical' })).toBe(false);
    expect(meets(major, { cleared: true })).toBe(false);
    expect(meets(major, { component: 'mq/bob' })).toBe(false);
    expect(meets(major, { type: 'other' })).toBe(false);
    expect(meets(major, { operatorState: 'closed' })).toBe(false);
  });

  it('is filtered by what the address says, and no nonsense', () => {
    const filter = readFilter(new URLSearchParams('state=cleared&severity=minor&point=mq&function=security&text=Al'));
    expect(queryOf(filter)).toMatchObject({ cleared: true, severity: 'minor' });
    expect(queryOf(readFilter(new URLSearchParams('state=x&severity=y&component=')))).toEqual({
      cleared: false,
      severity: undefined,
      component: undefined,
      type: undefined,
      operatorState: undefined,
    });
    expect(queryOf(readFilter(new URLSearchParams('state=all'))).cleared).toBeUndefined();
    const secure = alarm({ eventType: 'physical-violation', raisedBy: 'component' });
    expect(passes(secure, filter, [])).toBe(true);
    expect(passes({ ...secure, component: 'mk/alice' }, filter, [])).toBe(false);
    expect(passes(alarm(), filter, [])).toBe(false);
    expect(passes({ ...secure, component: 'mq/bob', text: '', alarmTypeId: '', probableCause: '', raisedBy: '' }, filter, [])).toBe(false);
    expect(passes(alarm(), readFilter(new URLSearchParams('policy=qber')), [])).toBe(true);
    expect(passes(alarm(), readFilter(new URLSearchParams('policy=other')), [])).toBe(false);
  });

  it('puts first what needs somebody', () => {
    const ids = [
      alarm({ id: 1, severity: 'critical', isCleared: true }),
      alarm({ id: 2, severity: 'critical', operatorState: 'closed' }),
      alarm({ id: 3, severity: 'minor' }),
      alarm({ id: 4, severity: 'major', operatorState: 'acknowledged' }),
      alarm({ id: 5, severity: 'major' }),
      alarm({ id: 6, severity: 'major', lastRaised: '2026-11-26T09:00:00Z' }),
    ]
      .sort(byUrgency)
      .map(({ id }) => id);
    expect(ids).toEqual([6, 5, 4, 3, 2, 1]);
  });

  it('says when and what, although it is over', () => {
    const over = alarm({
      isCleared: true,
      text: 'qber_ratio 0.04 is below 0.05',
      statusChanges: [
        { time: '2026-11-26T08:05:00Z', severity: null, text: 'qber_ratio 0.04 is below 0.05' },
        { time: '2026-11-26T08:00:00Z', severity: 'major', text: 'qber_ratio 0.08 is above 0.06' },
      ],
    });
    expect(clearedAt(over)).toBe('2026-11-26T08:05:00Z');
    expect(lastTrouble(over)).toBe('qber_ratio 0.08 is above 0.06');
    expect(clearedAt(alarm())).toBeUndefined();
    expect(lastTrouble(alarm())).toBe('qber_ratio 0.08 is above 0.06');
  });
});

describe('functions', () => {
  it('are the policy’s, else those of the event type', () => {
    expect(functionOf(alarm(), [policy({ function: 'security' })])).toBe('security');
    expect(functionOf(alarm(), [])).toBe('performance');
    expect(functionOf(alarm({ raisedBy: 'manager', eventType: 'time-domain-violation' }), [])).toBe('security');
    expect(functionOf(alarm({ raisedBy: 'component', eventType: 'environmental' }), [])).toBe('fault');
    expect(functionOf(alarm({ raisedBy: 'component', eventType: 'something-new' }), [])).toBe('fault');
  });

  it('are not well where nobody looks', () => {
    const rows = functionRows([alarm()], [policy(), policy({ name: 'x', function: 'fault', mode: 'shadow' })]);
    expect(rows.map((row) => [row.function, row.state, row.raised, row.policies])).toEqual([
      ['fault', 'none', 0, 0],
      ['configuration', 'none', 0, 0],
      ['accounting', 'none', 0, 0],
      ['performance', 'major', 1, 1],
      ['security', 'none', 0, 0],
    ]);
  });
});

describe('states', () => {
  it('of components come from alarms, then from the connection', () => {
    expect(stateOf(component())).toBe('ok');
    expect(stateOf(component({ worstAlarm: 'minor', connectionCount: 0 }))).toBe('minor');
    expect(stateOf(component({ connectionCount: 0 }))).toBe('offline');
    expect(stateOf(component({ lastReport: null }))).toBe('waiting');
    expect(worst([])).toBe('none');
    expect(worst(['ok', 'offline', 'warning'])).toBe('warning');
  });

  it('of reference points count connected and silent components', () => {
    const silent = alarm({ alarmTypeId: 'component-silent', component: 'mq/bob' });
    expect([...silentComponents([silent, alarm()])]).toEqual(['mq/bob']);
    const rows = pointRows([component(), component({ component: 'mq/bob', connectionCount: 0 }), component({ component: 'mc/c' })], [silent]);
    expect(rows.find((row) => row.point === 'mq')).toEqual({ point: 'mq', state: 'major', known: 2, connected: 1, silent: 1, raised: 1 });
    expect(rows.find((row) => row.point === 'mc')?.state).toBe('ok');
    expect(rows.find((row) => row.point === 'mx')?.state).toBe('none');
  });

  it('are as old as the oldest alarm', () => {
    expect(oldest([])).toBeUndefined();
    expect(oldest([alarm(), alarm({ lastRaised: '2026-11-26T07:00:00.5Z' })])).toBe('2026-11-26T07:00:00.5Z');
  });
});

describe('key figures', () => {
  const value = (of: string, number: number | string) => ({ component: of, name: 'n', resource: '', value: number, unit: 'ratio', time: '' });
  it('are the worse end, or the sum', () => {
    const values = [value('mq/a', 2), value('mq/b', 5), value('mq/c', 'word')];
    expect(keyFigure(values, 'highest')).toMatchObject({ value: 5, of: { component: 'mq/b' }, count: 2 });
    expect(keyFigure(values, 'lowest')).toMatchObject({ value: 2, of: { component: 'mq/a' } });
    expect(keyFigure(values, 'sum')).toMatchObject({ value: 7, of: undefined });
    expect(keyFigure([], 'sum')).toBeUndefined();
  });
});
