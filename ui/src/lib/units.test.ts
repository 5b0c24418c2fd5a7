import { expect, it } from 'vitest';
import { amount, digits, scaleFor } from './units';

it.each([
  [0, 'B', '0 B'],
  [1023, 'B', '1\u2009023 B'],
  [1536, 'B', '1.5 KiB'],
  [412 * 1024 ** 2, 'B', '412 MiB'],
  [41.27 * 1024 ** 3, 'B', '41.3 GiB'],
  [0.0385, 's', '38.5 ms'],
  [0.00002, 's', '20 µs'],
  [1.5, 's', '1.5 s'],
  [600, 's', '10 min'],
  [0, 's', '0 ms'],
  [250, 'ms', '250 ms'],
  [2500, 'ms', '2.5 s'],
  [41, '%', '41 %'],
  [0.384, '', '0.384'],
  [1234567, 'c', '1\u2009234\u2009567'],
  [-12.5, '°C', '-12.5 °C'],
])('%d of "%s" is "%s"', (value, unit, words) => expect(amount(value, unit)).toBe(words));

it('has one scale for numbers that are shown together', () => {
  const scale = scaleFor('B', 3 * 1024 ** 3);
  expect(scale).toEqual({ by: 1024 ** 3, unit: 'GiB' });
  expect(digits((512 * 1024 ** 2) / scale.by)).toBe('0.5');
});
