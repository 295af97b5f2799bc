// A rate from a count that rises.

const WINDOW_MS = 30_000;
const LEAST_MS = 1_500;

export class RateMeter {
  #samples: { at: number; total: number }[] = [];

  /** Takes a count; per second over the last half minute, nothing before there are two counts. */
  add(at: number, total: number): number | undefined {
    const last = this.#samples.at(-1);
    // A count that fell was begun anew.
    if (last !== undefined && (total < last.total || at < last.at)) this.#samples = [];
    this.#samples.push({ at, total });
    while (this.#samples.length > 2 && at - this.#samples[1]!.at >= WINDOW_MS) this.#samples.shift();
    const first = this.#samples[0]!;
    return at - first.at < LEAST_MS ? undefined : ((total - first.total) * 1_000) / (at - first.at);
  }
}
