// Places for the nodes of a graph: what is joined is drawn together, all else pushed apart (after Fruchterman and
// Reingold). The same graph has the same places each time.

export interface Place {
  x: number;
  y: number;
}

/** Steps and pairs together: what a browser does without a pause that is felt. */
const WORK = 25_000_000;
const MOST_STEPS = 400;

/** Places for nodes `0..count`, about `distance` apart where they are joined. */
export function spread(count: number, joined: readonly (readonly [number, number])[], distance: number): Place[] {
  const radius = (distance * Math.max(1, Math.sqrt(count))) / 2;
  const places = Array.from({ length: count }, (_, index) => {
    // Beginning on a spiral, no two are at the same place and no axis is preferred.
    const [angle, out] = [index * 2.399963, radius * Math.sqrt((index + 0.5) / count)];
    return { x: out * Math.cos(angle), y: out * Math.sin(angle) };
  });
  if (count < 2) return places;
  const steps = Math.min(MOST_STEPS, Math.floor(WORK / (count * count)));
  const moves = places.map(() => ({ x: 0, y: 0 }));
  for (let step = 0; step < steps; step += 1) {
    for (const move of moves) move.x = move.y = 0;
    for (let a = 0; a < count; a += 1) {
      for (let b = a + 1; b < count; b += 1) {
        const [dx, dy] = [places[a]!.x - places[b]!.x, places[a]!.y - places[b]!.y];
        const square = Math.max(1, dx * dx + dy * dy);
        const push = (distance * distance) / square;
        moves[a]!.x += dx * push;
        moves[a]!.y += dy * push;
        moves[b]!.x -= dx * push;
        moves[b]!.y -= dy * push;
      }
    }
    for (const [a, b] of joined) {
      if (a === b) continue;
      const [dx, dy] = [places[a]!.x - places[b]!.x, places[a]!.y - places[b]!.y];
      const pull = Math.hypot(dx, dy) / distance;
      moves[a]!.x -= dx * pull;
      moves[a]!.y -= dy * pull;
      moves[b]!.x += dx * pull;
      moves[b]!.y += dy * pull;
    }
    // Towards the middle, so that parts that are not joined do not drift away; more along the height, for screens are wide.
    const furthest = distance * (1 - step / steps) + 0.5;
    for (let a = 0; a < count; a += 1) {
      const [place, move] = [places[a]!, moves[a]!];
      move.x -= place.x * 0.8;
      move.y -= place.y * 1.2;
      const length = Math.max(1e-6, Math.hypot(move.x, move.y));
      const step = Math.min(length, furthest) / length;
      place.x += move.x * step;
      place.y += move.y * step;
    }
  }
  return places;
}
