import type { CheckResult } from './backend/bindings';

const HOUR = 3_600_000;
const HOURS = 24;
const FULL = 40;
const LEAST = 3;

export type Hour = { from: number; result: CheckResult | null; height: number };

export function slowestOf(results: CheckResult[]): CheckResult | null {
  return results.reduce<CheckResult | null>((a, b) => (a && took(a) >= took(b) ? a : b), null);
}

function took(result: CheckResult | null): number {
  return result?.response_time_ms ?? 0;
}

/** The last 24 hours, oldest first; the slowest result of all is as high as the strip. */
export function hourly(results: CheckResult[], now: number): Hour[] {
  const last = Math.floor(now / HOUR) * HOUR;
  const first = last - (HOURS - 1) * HOUR;
  const most = Math.max(1, took(slowestOf(results.filter((r) => r.at >= first))));
  return Array.from({ length: HOURS }, (_, i) => {
    const from = first + i * HOUR;
    const result = slowestOf(results.filter((r) => r.at >= from && r.at < from + HOUR));
    return { from, result, height: Math.max(LEAST, (took(result) / most) * FULL) };
  });
}
