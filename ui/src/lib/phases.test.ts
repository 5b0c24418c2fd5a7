import { expect, it } from 'vitest';
import { bar, brokenPhase, totalMs, waterfall } from './phases';

it('starts each phase where the one before ended, in the order they happen', () => {
  const rows = waterfall({ wait: 19, dns: 2, receive: 1, tls: 17, connect: 4, send: 0.5 });
  expect(rows.map((row) => [row.label, row.start, row.ms])).toEqual([
    ['DNS lookup', 0, 2],
    ['Connect', 2, 4],
    ['TLS handshake', 6, 17],
    ['Send', 23, 0.5],
    ['Wait (first byte)', 23.5, 19],
    ['Receive', 42.5, 1],
  ]);
  expect(totalMs(rows)).toBe(43.5);
});

it('leaves out what a check has not got or did not come to', () => {
  expect(waterfall({ connect: 3, wait: 1 }).map((row) => [row.name, row.start])).toEqual([
    ['connect', 0],
    ['wait', 3],
  ]);
  expect(waterfall(undefined)).toEqual([]);
  expect(totalMs([])).toBe(0);
});

it('names the phase a check broke in, unless the answer came in full', () => {
  expect(brokenPhase(waterfall({ dns: 1, connect: 5000 }))).toBe('connect');
  expect(brokenPhase(waterfall({ connect: 1, wait: 2, receive: 1 }))).toBeNull();
  expect(brokenPhase([])).toBeNull();
});

it('draws bars in percent, visible and within the width', () => {
  const rows = waterfall({ dns: 25, connect: 50, receive: 25 });
  expect(rows.map((row) => bar(row, 100))).toEqual([
    { x: 0, width: 25 },
    { x: 25, width: 50 },
    { x: 75, width: 25 },
  ]);
  expect(bar({ name: 'receive', label: '', start: 100, ms: 0 }, 100)).toEqual({ x: 98.8, width: 1.2 });
  expect(bar({ name: 'dns', label: '', start: 0, ms: 0 }, 0)).toEqual({ x: 0, width: 1.2 });
});
