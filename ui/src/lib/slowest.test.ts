import { expect, it } from 'vitest';
import { result } from '../testing';
import { hourly } from './slowest';

const HOUR = 3_600_000;

it('has a place for each of 24 hours, as high as it was slow', () => {
  const hours = hourly(
    [
      result({ at: 99 * HOUR + 5, response_time_ms: 50 }),
      result({ at: 97 * HOUR + 7, response_time_ms: 200 }),
      result({ at: 76 * HOUR, response_time_ms: null }),
    ],
    99 * HOUR + 9,
  );
  expect(hours).toHaveLength(24);
  expect(
    hours.flatMap(({ from, result, height }) => (result ? [[from / HOUR, result.at, height]] : [])),
  ).toEqual([
    [76, 76 * HOUR, 3],
    [97, 97 * HOUR + 7, 40],
    [99, 99 * HOUR + 5, 10],
  ]);
});
