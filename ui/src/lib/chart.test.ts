import { expect, it } from 'vitest';
import type { MeasurementSeries } from './backend/bindings';
import { timeSplits, toneOf, valueRange, withHoles } from './chart';

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

it.each([
  [
    'an hour',
    new Date(2026, 0, 9, 13, 7),
    new Date(2026, 0, 9, 14, 7),
    6,
    ['13:10', '13:20', '13:30', '13:40', '13:50', '14:00'],
  ],
  [
    'a day',
    new Date(2026, 0, 9, 13, 7),
    new Date(2026, 0, 10, 13, 7),
    4,
    ['18:00', '00:00', '06:00', '12:00'],
  ],
])('splits %s at full times of day', (_, from, to, most, times) => {
  const splits = timeSplits(from.getTime() / 1000, to.getTime() / 1000, most);
  expect(splits.map((at) => new Date(at * 1000).toTimeString().slice(0, 5))).toEqual(times);
});

it.each([
  ['a month', new Date(2026, 0, 9, 13), new Date(2026, 1, 8, 13), 3, ['23.1', '6.2']],
  ['a year', new Date(2025, 1, 9, 13), new Date(2026, 1, 9, 13), 4, ['1.3', '1.6', '1.9', '1.12']],
])('splits %s at midnights', (_, from, to, most, days) => {
  const splits = timeSplits(from.getTime() / 1000, to.getTime() / 1000, most).map(
    (at) => new Date(at * 1000),
  );
  expect(splits.map((d) => `${d.getDate()}.${d.getMonth() + 1}`)).toEqual(days);
  expect(splits.every((d) => d.getHours() === 0)).toBe(true);
});
