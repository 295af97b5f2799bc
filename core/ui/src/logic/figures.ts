// Figures with their units.

const PREFIXED = new Set(['bit', 'bit/s']);
const PREFIXES: [number, string][] = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
];

/** A number with four digits that count, without an exponent where that is possible. */
export function digits(value: number, significant = 4): string {
  if (!Number.isFinite(value)) return '?';
  const size = Math.abs(value);
  if (value === 0) return '0';
  if (size >= 1e15 || size < 1e-6) return value.toExponential(2);
  if (Number.isInteger(value) || size >= 1e5) return grouped(String(Math.round(value)));
  const places = Math.min(9, Math.max(0, significant - 1 - Math.floor(Math.log10(size))));
  return grouped(value.toFixed(places).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, ''));
}

function grouped(text: string): string {
  const [whole = '', fraction] = text.split('.');
  const spaced = whole.replace(/^-?\d{5,}$/, (all) => all.replace(/\B(?=(\d{3})+$)/g, '\u202f'));
  return fraction === undefined ? spaced : `${spaced}.${fraction}`;
}

export interface Figure {
  number: string;
  /** Unit with its prefix; empty where there is none. */
  unit: string;
  /** The same once more in percent, for shares of one. */
  also: string;
}

export function figure(value: number, unit: string | undefined): Figure {
  if (unit === undefined) return { number: digits(value), unit: '', also: '' };
  if (unit === 'ratio') return { number: digits(value), unit: '', also: `${digits(value * 100, 3)} %` };
  if (unit === 'count' || unit === 'hops') return { number: digits(value), unit: unit === 'hops' ? 'hops' : '', also: '' };
  if (PREFIXED.has(unit)) {
    for (const [size, prefix] of PREFIXES) {
      if (Math.abs(value) >= size) return { number: digits(value / size), unit: prefix + unit, also: '' };
    }
  }
  return { number: digits(value), unit, also: '' };
}

export function figureText(value: number, unit: string | undefined): string {
  const { number, unit: shown, also } = figure(value, unit);
  return [number, shown, also === '' ? '' : `(${also})`].filter((part) => part !== '').join('\u00a0');
}

export interface Scale {
  /** What figures are divided by. */
  by: number;
  /** The unit then; empty where there is none. */
  unit: string;
}

/** One prefix for a whole axis, after its greatest figure. */
export function scaleOf(greatest: number, unit: string | undefined): Scale {
  if (unit === undefined || unit === 'count') return { by: 1, unit: '' };
  if (unit === 'ratio') return { by: 1, unit: 'ratio (1 is 100 %)' };
  const [by, prefix] = (PREFIXED.has(unit) && PREFIXES.find(([size]) => Math.abs(greatest) >= size)) || [1, ''];
  return { by, unit: prefix + unit };
}

/** A span of time for a program: `43 µs`. */
export function seconds(value: number): string {
  if (value === 0) return '0 s';
  if (value < 1e-3) return `${digits(value * 1e6, 3)} µs`;
  if (value < 1) return `${digits(value * 1e3, 3)} ms`;
  return `${digits(value, 3)} s`;
}
