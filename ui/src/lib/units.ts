/** What numbers of a unit are shown in: a value divided by `by`, in `unit`. */
export type Scale = { by: number; unit: string };

const BINARY = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

/** The unit in which a number of this size reads best. */
export function scaleFor(unit: string, size: number): Scale {
  const n = Math.abs(size);
  switch (unit) {
    case 'B': {
      const step = n < 1024 ? 0 : Math.min(BINARY.length - 1, Math.floor(Math.log2(n) / 10));
      return { by: 1024 ** step, unit: BINARY[step] ?? 'B' };
    }
    case 's':
      return time(n * 1e6, 1e-6);
    case 'ms':
      return time(n * 1e3, 1e-3);
    case 'us':
      return time(n, 1);
    case 'c':
      return { by: 1, unit: '' };
    default:
      return { by: 1, unit };
  }
}

/** `own` is a microsecond in the unit of the number. */
function time(us: number, own: number): Scale {
  if (us > 0 && us < 1e3) return { by: own, unit: 'µs' };
  if (us < 1e6) return { by: 1e3 * own, unit: 'ms' };
  if (us < 120e6) return { by: 1e6 * own, unit: 's' };
  if (us < 7200e6) return { by: 60e6 * own, unit: 'min' };
  return { by: 3600e6 * own, unit: 'h' };
}

/** Three digits that matter, as far as there are any: "41.2", "0.38", "1 024". */
export function digits(value: number): string {
  const n = Math.abs(value);
  if (n >= 999.5) return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, '\u2009');
  const places = n >= 99.95 ? 0 : n >= 9.995 ? 1 : n >= 0.995 || n === 0 ? 2 : n >= 0.0995 ? 3 : 4;
  return String(Number(value.toFixed(places)));
}

/** Value and unit apart: ["41.2", "GiB"], ["380", "ms"], ["3", ""]. */
export function amountParts(value: number, unit: string, scale = scaleFor(unit, value)): [string, string] {
  return [digits(value / scale.by), scale.unit];
}

export function amount(value: number, unit: string): string {
  return amountParts(value, unit).join(' ').trim();
}
