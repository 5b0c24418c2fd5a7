import { describe, expect, it } from 'vitest';
import * as format from './format';

const at = (y: number, mo: number, d: number, h = 0, mi = 0, s = 0) =>
  new Date(y, mo - 1, d, h, mi, s).getTime();
const now = at(2025, 11, 22, 14, 0, 0);

describe('duration', () => {
  it.each([
    [0, '0 s'],
    [-5000, '0 s'],
    [999, '0 s'],
    [43_000, '43 s'],
    [60_000, '1 min'],
    [252_000, '4 min 12 s'],
    [13_260_000, '3 h 41 min'],
    [3_600_000 + 5000, '1 h'],
    [187_200_000, '2 d 4 h'],
    [400 * 86_400_000, '400 d'],
  ])('%d ms is %s', (ms, words) => expect(format.duration(ms)).toBe(words));
});

it('keeps the fraction of a configured interval', () => {
  expect([500, 1500, 15_000, 180_000].map(format.interval)).toEqual(['500 ms', '1.5 s', '15 s', '3 min']);
});

describe('ms', () => {
  it.each([
    [null, '–'],
    [0, '<1 ms'],
    [0.4, '<1 ms'],
    [43.4, '43 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [1234, '1.2 s'],
    [12_600, '13 s'],
  ])('%s is %s', (ms, words) => expect(format.ms(ms)).toBe(words));
});

it('names the unit of quantiles once where they share it', () => {
  expect(format.quantiles([41, 78, 131])).toBe('41 · 78 · 131 ms');
  expect(format.quantiles([380, 722, 1216])).toBe('380 ms · 722 ms · 1.2 s');
  expect(format.quantiles([41, null, 131])).toBe('41 · – · 131 ms');
});

describe('percent', () => {
  it('has three decimals', () => expect(format.percent(99.9412)).toBe('99.941 %'));
  it('never rounds up to all', () => expect(format.percent(99.9999)).toBe('99.999 %'));
  it('is not cut below what was given', () => expect(format.percent(99.962)).toBe('99.962 %'));
  it('says all', () => expect(format.percent(100)).toBe('100.000 %'));
  it('says nothing without data', () => expect(format.percent(null)).toBe('–'));
});

describe('time', () => {
  it('is to the second today', () => expect(format.time(at(2025, 11, 22, 13, 48, 17), now)).toBe('13:48:17'));
  it('has the day otherwise', () => expect(format.time(at(2025, 11, 2, 3, 10), now)).toBe('2 Nov 03:10'));
  it('has the year when it is another', () =>
    expect(format.time(at(2024, 11, 2, 3, 10), now)).toBe('2 Nov 2024 03:10'));
});

it('says until when', () => {
  expect(format.until(at(2025, 11, 22, 15), now)).toBe('15:00');
  expect(format.until(at(2025, 11, 23, 8), now)).toBe('tomorrow 08:00');
  expect(format.until(at(2025, 12, 1, 8), now)).toBe('1 Dec 08:00');
});

it('names days', () => {
  expect(format.day(at(2025, 11, 22, 1), now)).toBe('Today');
  expect(format.day(at(2025, 11, 21, 23), now)).toBe('Yesterday');
  expect(format.day(at(2025, 11, 2), now)).toBe('Sunday 2 Nov');
  expect(format.date('2025-11-02')).toBe('Sun 2 Nov');
});

it('counts and lists', () => {
  expect(format.count(1, 'service')).toBe('1 service');
  expect(format.count(5, 'service')).toBe('5 services');
  expect([1, 2, 3, 4, 11, 12, 13, 21, 22, 112].map(format.ordinal)).toEqual([
    '1st',
    '2nd',
    '3rd',
    '4th',
    '11th',
    '12th',
    '13th',
    '21st',
    '22nd',
    '112th',
  ]);
  expect(format.list(['a', 'b', 'c'])).toBe('a, b and c');
  expect(format.bytes(14_380_000)).toBe('14 MB');
  expect(format.bytes(999_700)).toBe('1.0 MB');
});

it('says how much of a budget is left, also when it is overdrawn', () => {
  expect([41.9, 0, -0.4, -135.2, -896, -30_445, null].map(format.budgetLeft)).toEqual([
    '41 %',
    '0 %',
    'used up',
    'used up 2.4×',
    'used up 10×',
    'used up 305×',
    '–',
  ]);
});

it('takes the middle', () => {
  expect(format.median([])).toBeNull();
  expect(format.median([9, 1, 5])).toBe(5);
  expect(format.median([4, 2])).toBe(3);
});

it('tells a strip in words', () => {
  expect(format.barsSummary([])).toBe('No results yet');
  expect(
    format.barsSummary([
      { at: 1, status: null, ms: null },
      { at: 2, status: 'healthy', ms: 3 },
      { at: 3, status: 'unhealthy', ms: null },
    ]),
  ).toBe('Last 3 checks: 1 unhealthy, 1 healthy, 1 not observed');
});
