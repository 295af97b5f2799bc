import { describe, expect, it } from 'vitest';
import { spread } from './layout';

const between = (places: { x: number; y: number }[], a: number, b: number) =>
  Math.hypot(places[a]!.x - places[b]!.x, places[a]!.y - places[b]!.y);

describe('places', () => {
  const ring = Array.from({ length: 20 }, (_, n) => [n, (n + 1) % 20] as const);

  it('are the same each time, and finite', () => {
    const places = spread(20, ring, 100);
    expect(spread(20, ring, 100)).toEqual(places);
    expect(places.every(({ x, y }) => Number.isFinite(x) && Number.isFinite(y))).toBe(true);
  });

  it('keep all apart and what is joined together', () => {
    const places = spread(20, ring, 100);
    for (let a = 0; a < 20; a += 1) {
      expect(between(places, a, (a + 1) % 20)).toBeLessThan(180);
      for (let b = 0; b < a; b += 1) expect(between(places, a, b), `${a} ${b}`).toBeGreaterThan(35);
    }
  });

  it('bear nothing, one, loops, and parts that are not joined', () => {
    expect(spread(0, [], 100)).toEqual([]);
    expect(spread(1, [[0, 0]], 100)).toHaveLength(1);
    const parts = spread(60, Array.from({ length: 30 }, (_, n) => [2 * n, 2 * n + 1] as const), 100);
    expect(Math.max(...parts.map(({ x, y }) => Math.hypot(x, y)))).toBeLessThan(1_500);
    for (let a = 0; a < 60; a += 1) for (let b = 0; b < a; b += 1) expect(between(parts, a, b)).toBeGreaterThan(30);
  });
});
