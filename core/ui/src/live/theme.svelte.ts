// Light, dark, or as the system has it.

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const KEY = 'qkdnm-theme';
const dark = matchMedia('(prefers-color-scheme: dark)');

class ThemeChoice {
  chosen = $state<Theme>('auto');
  /** Counts changes of what is shown: plots and graphs read their colours anew. */
  shown = $state(0);

  start(): void {
    try {
      const stored = localStorage.getItem(KEY);
      this.chosen = THEMES.find((theme) => theme === stored) ?? 'auto';
    } catch {
      // Storage is off; the choice lasts as long as the page.
    }
    this.#show();
    dark.addEventListener('change', () => (this.shown += 1));
  }

  next(): void {
    this.chosen = THEMES[(THEMES.indexOf(this.chosen) + 1) % THEMES.length]!;
    try {
      localStorage.setItem(KEY, this.chosen);
    } catch {
      // As above.
    }
    this.#show();
  }

  #show(): void {
    document.documentElement.dataset['theme'] = this.chosen;
    this.shown += 1;
  }
}

export const theme = new ThemeChoice();
