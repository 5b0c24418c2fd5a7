import type { MeasurementPoint, MeasurementSeries, Range } from './backend/bindings';
import { MONTHS, shortTime } from './format';

const DAY = 86_400;
const HOUR = 3600;
const LONGEST = 14 * DAY;
const STEPS = [300, 600, 900, 1800, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR].concat(
  [1, 2, 5, 7, 14].map((days) => days * DAY),
);

/** Times of day a reader expects, in local time: full hours, midnights, firsts of a month; at most so many. All in seconds. */
export function timeSplits(from: number, to: number, most: number): number[] {
  const found: number[] = [];
  const start = new Date(from * 1000);
  if ((to - from) / most > LONGEST) {
    const months = Math.ceil((to - from) / 2_629_800 / most);
    for (let i = 1; ; i += months) {
      const at = new Date(start.getFullYear(), start.getMonth() + i, 1).getTime() / 1000;
      if (at > to) return found;
      found.push(at);
    }
  }
  const step = STEPS.find((s) => (to - from) / s <= most) ?? LONGEST;
  const days = Math.max(1, step / DAY);
  for (let d = 0; ; d += days) {
    const midnight = new Date(start.getFullYear(), start.getMonth(), start.getDate() + d).getTime() / 1000;
    if (midnight > to) return found;
    for (let s = 0; s < DAY * days; s += step) {
      const at = midnight + s;
      if (at >= from && at <= to) found.push(at);
    }
  }
}

export function timeLabel(at: number, range: Range): string {
  if (range === '1h' || range === '24h') return shortTime(at);
  const d = new Date(at);
  return `${d.getDate()} ${MONTHS[d.getMonth()]}`;
}

type Point = MeasurementPoint | { at: number; mean: null; min: null; max: null };

/** The points with an empty one wherever some are missing, so that no line is drawn across. */
export function withHoles(points: MeasurementPoint[]): Point[] {
  const steps = points.slice(1).map((point, i) => point.at - (points[i]?.at ?? 0));
  const usual = [...steps].sort((a, b) => a - b)[steps.length >> 1] ?? 0;
  return points.flatMap((point, i): Point[] => {
    const before = points[i - 1];
    if (!before || point.at - before.at <= 2.5 * usual) return [point];
    return [{ at: before.at + usual, mean: null, min: null, max: null }, point];
  });
}

/** From the lowest to the highest that must be seen: with nought unless it only counts up, and both limits. */
export function valueRange(series: MeasurementSeries): [number, number] {
  const limits = [series.degraded_at, series.unhealthy_at].filter((limit) => limit !== null);
  const seen = [...series.points.flatMap((point) => [point.min, point.max]), ...limits];
  const low = Math.min(...seen, series.unit === 'c' ? Infinity : 0);
  const high = Math.max(...seen);
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  if (low === high) return [low, low + 1];
  const room = (high - low) * 0.08;
  const top = series.unit === '%' && high > 50 && high <= 100 ? 100 : high + room;
  return [low === 0 ? 0 : low - room, top];
}

export type Tone = 'plain' | 'degraded' | 'unhealthy';

/** On which side of its limits a value is; limits may be upper ones or, where unhealthy lies lower, lower ones. */
export function toneOf(
  value: number,
  { degraded_at: degraded, unhealthy_at: unhealthy }: Pick<MeasurementSeries, 'degraded_at' | 'unhealthy_at'>,
): Tone {
  const lower = degraded !== null && unhealthy !== null && unhealthy < degraded;
  const beyond = (limit: number | null) => limit !== null && (lower ? value <= limit : value >= limit);
  if (beyond(unhealthy)) return 'unhealthy';
  return beyond(degraded) ? 'degraded' : 'plain';
}
