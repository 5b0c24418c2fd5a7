import { expect, it } from 'vitest';
import type { MeasurementSeries } from './backend/bindings';
import { toneOf, valueRange, withHoles } from './chart';

const point = (at: number, mean = 1) => ({ at, mean, min: mean, max: mean });

function series(part: Partial<MeasurementSeries>): MeasurementSeries {
  return { name: '/', unit: '%', degraded_at: null, unhealthy_at: null, points: [point(0, 40)], ...part };
}

it('leaves a hole where points are missing', () => {
  const points = [point(0), point(10), point(20), point(60), point(70)];
  expect(withHoles(points).map((p) => [p.at, p.mean])).toEqual([
    [0, 1],
    [10, 1],
    [20, 1],
    [30, null],
    [60, 1],
    [70, 1],
  ]);
  expect(withHoles([])).toEqual([]);
});

it('shows the limits, and a percentage up to a hundred', () => {
  expect(valueRange(series({ degraded_at: 80, unhealthy_at: 95 }))).toEqual([0, 100]);
  expect(valueRange(series({ degraded_at: 60, unhealthy_at: 70 }))).toEqual([0, 100]);
  expect(valueRange(series({ unit: 'B' }))).toEqual([0, 43.2]);
  expect(valueRange(series({ points: [] }))).toEqual([0, 1]);
});

it('does not start a counter at nought', () => {
  const [low] = valueRange(series({ unit: 'c', points: [point(0, 1000), point(1, 1100)] }));
  expect(low).toBe(992);
});

it('knows on which side of its limits a value is', () => {
  const upper = { degraded_at: 80, unhealthy_at: 90 };
  expect([79, 80, 95].map((value) => toneOf(value, upper))).toEqual(['plain', 'degraded', 'unhealthy']);
  const lower = { degraded_at: 20, unhealthy_at: 10 };
  expect([21, 20, 5].map((value) => toneOf(value, lower))).toEqual(['plain', 'degraded', 'unhealthy']);
  expect(toneOf(5, { degraded_at: null, unhealthy_at: null })).toBe('plain');
});
