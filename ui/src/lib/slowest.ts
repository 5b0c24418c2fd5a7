import type { CheckResult } from './backend/bindings';

const FULL = 40;
const LEAST = 3;

export type Hour = { result: CheckResult; height: number };

/** Oldest first, each with the height of its bar: the slowest of all is as high as the strip. */
export function hourly(results: CheckResult[]): Hour[] {
  const most = Math.max(1, ...results.map((r) => r.response_time_ms ?? 0));
  return [...results].reverse().map((result) => ({
    result,
    height: Math.max(LEAST, ((result.response_time_ms ?? 0) / most) * FULL),
  }));
}
