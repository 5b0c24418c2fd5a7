import type { Bar, ServiceStatus } from './backend/bindings';

const SECOND = 1000;
export const DAY = 86_400 * SECOND;

/** What stands where there is no value. */
export const NONE = '–';

export const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** The two largest units: "43 s", "4 min 12 s", "3 h 41 min", "2 d 4 h". */
export function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / SECOND));
  const units: [number, string][] = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ];
  const first = units.findIndex(([n]) => n > 0);
  if (first === -1) return '0 s';
  return units
    .slice(first, first + 2)
    .filter(([n]) => n > 0)
    .map(([n, unit]) => `${n} ${unit}`)
    .join(' ');
}

/** A duration of the config, in its one fitting unit: "15 s", "3 min", "1.5 s". */
export function interval(ms: number): string {
  if (ms < SECOND) return `${ms} ms`;
  if (ms % SECOND !== 0) return `${ms / SECOND} s`;
  return duration(ms);
}

/** Value and unit apart, as the unit is set smaller: ["43", "ms"], ["1.2", "s"]. */
export function msParts(ms: number | null): [string, string] {
  if (ms === null) return [NONE, ''];
  if (ms < 1) return ['<1', 'ms'];
  if (ms < 999.5) return [String(Math.round(ms)), 'ms'];
  if (ms < 9950) return [(ms / SECOND).toFixed(1), 's'];
  return [String(Math.round(ms / SECOND)), 's'];
}

export function ms(value: number | null): string {
  return msParts(value).join(' ').trim();
}

/** "41 · 78 · 131 ms": one unit where all share it. */
export function quantiles(values: (number | null)[]): string {
  const parts = values.map(msParts);
  const units = new Set(parts.map(([, unit]) => unit).filter(Boolean));
  if (units.size === 1) return `${parts.map(([n]) => n).join(' · ')} ${[...units][0]}`;
  return parts.map((p) => p.join(' ').trim()).join(' · ');
}

/** Three decimals, cut rather than rounded up: only no failure at all is "100.000". */
export function percentNumber(value: number | null): string {
  if (value === null) return NONE;
  return (Math.floor(value * 1000 + 1e-6) / 1000).toFixed(3);
}

export function percent(value: number | null): string {
  return value === null ? NONE : `${percentNumber(value)} %`;
}

/** "41 %"; an overdrawn budget is "used up 2.4×", as often as it was spent. */
export function budgetLeft(pct: number | null): string {
  if (pct === null) return NONE;
  if (pct >= 0) return `${Math.floor(pct)} %`;
  const times = (100 - pct) / 100;
  if (times < 1.05) return 'used up';
  return `used up ${times < 9.95 ? times.toFixed(1) : Math.round(times)}×`;
}

const two = (n: number) => String(n).padStart(2, '0');

function sameDay(a: Date, b: Date): boolean {
  return a.toDateString() === b.toDateString();
}

export function clockTime(at: number): string {
  const d = new Date(at);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
}

export function shortTime(at: number): string {
  const d = new Date(at);
  return `${two(d.getHours())}:${two(d.getMinutes())}`;
}

function dayAndMonth(d: Date, now: Date): string {
  const day = `${d.getDate()} ${MONTHS[d.getMonth()]}`;
  return d.getFullYear() === now.getFullYear() ? day : `${day} ${d.getFullYear()}`;
}

/** "2 Nov", "2 Nov 2027" in another year. */
export function calendarDay(at: number, now: number): string {
  return dayAndMonth(new Date(at), new Date(now));
}

/** "13:48:17" today, "2 Nov 03:10" otherwise. */
export function time(at: number, now: number): string {
  const d = new Date(at);
  const today = new Date(now);
  return sameDay(d, today) ? clockTime(at) : `${dayAndMonth(d, today)} ${shortTime(at)}`;
}

/** "15:00" today, "tomorrow 08:00", "2 Nov 08:00". */
export function until(at: number, now: number): string {
  const d = new Date(at);
  if (sameDay(d, new Date(now))) return shortTime(at);
  const tomorrow = new Date(now);
  tomorrow.setDate(tomorrow.getDate() + 1);
  if (sameDay(d, tomorrow)) return `tomorrow ${shortTime(at)}`;
  return time(at, now);
}

/** "Today", "Yesterday", "Sunday 2 Nov". */
export function day(at: number, now: number): string {
  const d = new Date(at);
  const today = new Date(now);
  if (sameDay(d, today)) return 'Today';
  const yesterday = new Date(now);
  yesterday.setDate(yesterday.getDate() - 1);
  if (sameDay(d, yesterday)) return 'Yesterday';
  return `${WEEKDAYS[d.getDay()]} ${dayAndMonth(d, today)}`;
}

/** A calendar date of the history, "2025-11-02", as "Sun 2 Nov". */
export function date(iso: string): string {
  const [y, m, d] = iso.split('-').map(Number);
  const parsed = new Date(y ?? 0, (m ?? 1) - 1, d ?? 1);
  return `${WEEKDAYS[parsed.getDay()]?.slice(0, 3)} ${parsed.getDate()} ${MONTHS[parsed.getMonth()]}`;
}

export function bytes(n: number): string {
  if (n < 1000) return `${n} B`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  let value = n / 1000;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
}

/** "1 service", "5 services". */
export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** "1st", "2nd", "3rd", "11th". */
export function ordinal(n: number): string {
  const tens = n % 100;
  const suffix = tens >= 11 && tens <= 13 ? 'th' : (['th', 'st', 'nd', 'rd'][n % 10] ?? 'th');
  return `${n}${suffix}`;
}

/** "a", "a and b", "a, b and c". */
export function list(items: string[]): string {
  if (items.length <= 1) return items[0] ?? '';
  return `${items.slice(0, -1).join(', ')} and ${items[items.length - 1]}`;
}

export function median(values: number[]): number | null {
  if (values.length === 0) return null;
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length % 2 === 1) return sorted[middle] ?? null;
  return ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

/** What a strip shows, for those who cannot see it. */
export function barsSummary(bars: Bar[]): string {
  if (bars.length === 0) return 'No results yet';
  const counts = { healthy: 0, degraded: 0, unhealthy: 0, unobserved: 0 };
  for (const bar of bars) counts[bar.status ?? 'unobserved'] += 1;
  const parts: string[] = [];
  if (counts.unhealthy) parts.push(`${counts.unhealthy} unhealthy`);
  if (counts.degraded) parts.push(`${counts.degraded} degraded`);
  if (counts.healthy) parts.push(`${counts.healthy} healthy`);
  if (counts.unobserved) parts.push(`${counts.unobserved} not observed`);
  return `Last ${bars.length} checks: ${parts.join(', ')}`;
}

export const STATUS_WORD: Record<ServiceStatus, string> = {
  healthy: 'healthy',
  degraded: 'slow',
  unhealthy: 'down',
  unknown: 'not known yet',
  paused: 'paused',
};
