import { describe, expect, it } from 'vitest';
import { alarm } from '../testing/samples';
import { changeOf, tellsOf } from './change';
import { EventParser } from './sse';

const all = (pieces: string[]) => {
  const parser = new EventParser();
  return { events: pieces.flatMap((piece) => parser.push(piece)), parser };
};

describe('events from text', () => {
  it('takes events, comments and fields in any order', () => {
    const { events, parser } = all([': hello\n\nid: 7.1\nevent: alarm\ndata: {"a":1}\n\nretry: 2500\ndata:x\ndata: y\n\n']);
    expect(events).toEqual([
      { event: 'alarm', data: '{"a":1}', id: '7.1' },
      { event: 'message', data: 'x\ny', id: '7.1' },
    ]);
    expect(parser.lastEventId).toBe('7.1');
    expect(parser.retryMs).toBe(2_500);
  });

  it('does not care how the text is cut', () => {
    const text = 'event: alarm\r\ndata: {"alarm_id":3}\r\n\r\nid: 9\nevent: report\rdata: {}\r\rdata: last\n\n';
    const whole = all([text]).events;
    expect(whole.map((event) => event.event)).toEqual(['alarm', 'report', 'message']);
    expect(all([...text]).events).toEqual(whole);
    for (let at = 1; at < text.length; at += 1) {
      expect(all([text.slice(0, at), text.slice(at)]).events, `cut at ${at}`).toEqual(whole);
    }
  });

  it('dispatches nothing without data, but a resync needs none', () => {
    expect(all(['event: alarm\n\n']).events).toEqual([]);
    expect(all(['event: resync\n\n']).events).toEqual([{ event: 'resync', data: '', id: '' }]);
  });
});

describe('changes from events', () => {
  const change = (event: string, data: unknown) => changeOf({ event, data: JSON.stringify(data), id: '' });

  it('reads what changed', () => {
    expect(change('alarm', alarm({ id: 4 }))).toEqual({ kind: 'alarm', id: 4, component: 'mq/alice', alarm: alarm({ id: 4 }) });
    expect(change('alarm', { alarmId: '4', component: 'mk/km-1' })).toEqual({ kind: 'alarm', id: 4, component: 'mk/km-1', alarm: undefined });
    expect(change('component', { component: 'mq/a' })).toEqual({ kind: 'components', components: new Set(['mq/a']) });
    expect(change('resync', {})).toEqual({ kind: 'all' });
  });

  it('reads which components reported', () => {
    const some = change('components', { components: ['mq/a', 'mk/b'], more: 0, reports: 7 })!;
    expect([tellsOf(some, 'mq/a'), tellsOf(some, 'mq/c')]).toEqual([true, false]);
    const many = change('components', { components: ['mq/a'], more: 1, reports: 7 })!;
    expect(tellsOf(many, 'mq/c')).toBe(true);
    expect(tellsOf({ kind: 'all' }, 'mq/a')).toBe(false);
  });

  it('bears what it does not understand', () => {
    expect(change('weather', { component: 'mq/a' })).toBeUndefined();
    const unknown = { kind: 'alarm', id: undefined, component: undefined, alarm: undefined };
    expect(change('ready', {})).toBeUndefined();
    expect(changeOf({ event: 'alarm', data: '{', id: '' })).toEqual(unknown);
    expect(change('alarm', { id: -1.5, component: 3 })).toEqual(unknown);
    expect(change('alarm', null)).toEqual(unknown);
    expect(change('components', {})).toEqual({ kind: 'components', components: undefined });
    expect(change('alarm', { ...alarm({ id: 4 }), statusChanges: null })).toMatchObject({ id: 4, alarm: undefined });
  });
});
