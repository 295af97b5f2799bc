// Colours of the present theme, for what is painted rather than styled.

const NAMES = [
  'ground',
  'surface',
  'text',
  'quiet',
  'line',
  'link',
  'plot',
  'plot-band',
  'plot-grid',
  'limit',
  'limit-band',
  'episode',
  'critical',
  'major',
  'minor',
  'warning',
  'indeterminate',
  'offline',
  'waiting',
  'ok',
  'none',
  'critical-ground',
  'major-ground',
  'minor-ground',
  'warning-ground',
  'indeterminate-ground',
  'offline-ground',
  'waiting-ground',
  'ok-ground',
  'none-ground',
] as const;

/** Each as the browser resolves it at this place. */
export function colours(at: HTMLElement): Record<string, string> {
  const probe = document.createElement('span');
  at.append(probe);
  const found: Record<string, string> = {};
  for (const name of NAMES) {
    probe.style.setProperty('color', `var(--${name})`);
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}
