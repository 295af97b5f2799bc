// Times and spans for people: local time as digits in a fixed order, UTC beside it.

const two = (value: number): string => String(value).padStart(2, '0');

export function clockTime(ms: number): string {
  const date = new Date(ms);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function day(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Local time; with the day if it is not today. */
export function localTime(ms: number, now: number): string {
  return day(ms) === day(now) ? clockTime(ms) : `${day(ms)} ${clockTime(ms)}`;
}

/** For titles. */
export function utc(ms: number): string {
  return `${new Date(ms).toISOString().replace('T', ' ').replace(/\.000Z$/, 'Z').replace('Z', '')} UTC`;
}

const STEPS: [number, string][] = [
  [86_400, 'd'],
  [3_600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** A span in its two greatest units: `3 d 4 h`, `2 min 5 s`, `0 s`. */
export function span(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1_000));
  const at = STEPS.findIndex(([length]) => seconds >= length);
  if (at < 0) return '0 s';
  const [length, unit] = STEPS[at]!;
  const head = `${Math.floor(seconds / length)} ${unit}`;
  const next = STEPS[at + 1];
  const rest = next === undefined ? 0 : Math.floor((seconds % length) / next[0]);
  return rest === 0 || next === undefined ? head : `${head} ${rest} ${next[1]}`;
}
