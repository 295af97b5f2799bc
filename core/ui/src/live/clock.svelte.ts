// The time of the moment, once a second, as the manager's clock has it. The browser's clock is believed while it differs
// by no more than the `Date` header can tell.

const BELIEVED_MS = 2_000;

class Clock {
  /** Milliseconds since 1970. */
  now = $state(Date.now());
  /** How far the manager's clock is ahead of the browser's; 0 while they agree. */
  offset = $state(0);
}

export const clock = new Clock();

export function setManagerOffset(offset: number): void {
  const rounded = Math.abs(offset) <= BELIEVED_MS ? 0 : Math.round(offset / 1_000) * 1_000;
  if (Math.abs(rounded - clock.offset) >= 1_000) clock.offset = rounded;
}

export function startClock(): void {
  setInterval(() => {
    clock.now = Date.now() + clock.offset;
  }, 1_000);
}
