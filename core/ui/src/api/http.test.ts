import { describe, expect, it } from 'vitest';
import { splitRef } from './client';
import { apiUrl, clockOffset, Gate, waitMs, withQuery } from './http';

describe('addresses', () => {
  it('stand beside the page, under any prefix', () => {
    expect(apiUrl('alarms', 'http://h/ui/')).toBe('http://h/api/v1/alarms');
    expect(apiUrl('alarms?x=1', 'http://h/some/where/ui/index.html')).toBe('http://h/some/where/api/v1/alarms?x=1');
    expect(apiUrl('alarms', 'http://h/')).toBe('http://h/api/v1/alarms');
  });

  it('leave out what is not asked for, and escape the rest', () => {
    expect(withQuery('a', { x: undefined, y: '' })).toBe('a');
    expect(withQuery('a', { x: 'mk/km 1&', cleared: false, limit: 3 })).toBe('a?x=mk%2Fkm+1%26&cleared=false&limit=3');
  });

  it('take components apart at the first slash', () => {
    expect(splitRef('mk/km-1')).toEqual(['mk', 'km-1']);
    expect(splitRef('mk/a/b')).toEqual(['mk', 'a/b']);
  });
});

describe('the manager', () => {
  it('tells how its clock stands', () => {
    const sent = Date.parse('2026-11-26T08:00:00Z');
    expect(clockOffset('Thu, 26 Nov 2026 08:01:00 GMT', sent, sent + 1_000)).toBe(60_000);
    expect(clockOffset(null, sent, sent)).toBeUndefined();
    expect(clockOffset('soon', sent, sent)).toBeUndefined();
  });

  it('is asked again later if it has no time', () => {
    expect(waitMs('1', 0)).toBe(1_000);
    expect(waitMs('1', 2)).toBe(3_000);
    expect(waitMs(null, 0)).toBe(500);
    expect(waitMs('3600', 0)).toBe(10_000);
  });
});

describe('a gate', () => {
  it('lets so many through at a time, and everybody in the end', async () => {
    const gate = new Gate(2);
    let [inside, most, done] = [0, 0, 0];
    const work = async (fail: boolean) => {
      inside += 1;
      most = Math.max(most, inside);
      await new Promise((go) => setTimeout(go, 1));
      inside -= 1;
      done += 1;
      if (fail) throw new Error('no');
    };
    await Promise.allSettled(Array.from({ length: 9 }, (_, index) => gate.pass(() => work(index % 3 === 0))));
    expect([most, done, inside]).toEqual([2, 9, 0]);
  });
});
