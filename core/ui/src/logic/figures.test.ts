import { describe, expect, it } from 'vitest';
import { digits, figureText, scaleOf, seconds } from './figures';
import { RateMeter } from './rates';
import { componentHref, href, parseRoute } from './route';
import { localTime, span, utc } from './time';

describe('figures', () => {
  it('have the digits that count', () => {
    expect([0, 0.0328, 0.08450001, 1, 20.94, -45.04, 7597, 1234567, 0.000012, 1e-9].map((value) => digits(value))).toEqual([
      '0', '0.0328', '0.0845', '1', '20.94', '-45.04', '7597', '1\u202f234\u202f567', '0.000012', '1.00e-9',
    ]);
    expect(digits(Number.NaN)).toBe('?');
  });

  it('have units with prefixes where that is usual', () => {
    expect(figureText(155_761, 'bit')).toBe('155.8\u00a0kbit');
    expect(figureText(7_597, 'bit/s')).toBe('7.597\u00a0kbit/s');
    expect(figureText(0, 'bit/s')).toBe('0\u00a0bit/s');
    expect(figureText(0.0328, 'ratio')).toBe('0.0328\u00a0(3.28 %)');
    expect(figureText(-45.04, '°C')).toBe('-45.04\u00a0°C');
    expect(figureText(12, 'count')).toBe('12');
    expect(figureText(12, undefined)).toBe('12');
    expect(scaleOf(8e6, 'bit')).toEqual({ by: 1e6, unit: 'Mbit' });
    expect(scaleOf(12, 'bit/s')).toEqual({ by: 1, unit: 'bit/s' });
    expect(scaleOf(1e6, 'count')).toEqual({ by: 1, unit: '' });
    expect(scaleOf(20, 'mA')).toEqual({ by: 1, unit: 'mA' });
  });

  it('may be times of calls', () => {
    expect([0, 43e-6, 0.0021, 1.5].map(seconds)).toEqual(['0 s', '43 µs', '2.1 ms', '1.5 s']);
  });
});

describe('rates', () => {
  it('are means over half a minute', () => {
    const meter = new RateMeter();
    expect(meter.add(0, 100)).toBeUndefined();
    expect(meter.add(5_000, 150)).toBe(10);
    for (let at = 10_000; at <= 60_000; at += 5_000) meter.add(at, 150);
    expect(meter.add(65_000, 150)).toBe(0);
  });

  it('begin anew with the count', () => {
    const meter = new RateMeter();
    meter.add(0, 1_000);
    expect(meter.add(5_000, 10)).toBeUndefined();
    expect(meter.add(10_000, 60)).toBe(10);
  });
});

describe('times', () => {
  it('are spans in two units', () => {
    expect([0, 999, 20_000, 125_000, 3_600_000, 100_000_000, -5].map(span)).toEqual([
      '0 s', '0 s', '20 s', '2 min 5 s', '1 h', '1 d 3 h', '0 s',
    ]);
  });

  it('are local, with the day only where it is another, and UTC beside', () => {
    const noon = new Date(2026, 10, 26, 12, 0, 5).getTime();
    expect(localTime(noon, noon + 1_000)).toBe('12:00:05');
    expect(localTime(noon, noon + 86_400_000)).toBe('2026-11-26 12:00:05');
    expect(utc(Date.parse('2026-11-26T08:00:00.250Z'))).toBe('2026-11-26 08:00:00.250 UTC');
    expect(utc(Date.parse('2026-11-26T08:00:00Z'))).toBe('2026-11-26 08:00:00 UTC');
  });
});

describe('addresses', () => {
  it('go there and back', () => {
    const address = componentHref('mk/km 1/ä?&#', { span: '1h', value: undefined });
    const route = parseRoute(address);
    expect(route.path).toEqual(['components', 'mk', 'km 1/ä?&#']);
    expect(route.parameters.get('span')).toBe('1h');
    expect(href([])).toBe('#/');
    expect(parseRoute('').path).toEqual([]);
    expect(parseRoute('#/alarms?text=a?b').parameters.get('text')).toBe('a?b');
    expect(parseRoute('#/%E0%A4%A').path).toEqual(['%E0%A4%A']);
  });
});
