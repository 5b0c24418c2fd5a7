import { expect, it } from 'vitest';
import { result } from '../testing';
import { hourly } from './slowest';

it('goes from old to new, and is as high as it was slow', () => {
  const hours = hourly([
    result({ at: 3, response_time_ms: 50 }),
    result({ at: 2, response_time_ms: 200 }),
    result({ at: 1, response_time_ms: null }),
  ]);
  expect(hours.map((hour) => [hour.result.at, hour.height])).toEqual([
    [1, 3],
    [2, 40],
    [3, 10],
  ]);
  expect(hourly([])).toEqual([]);
});
