import { expect, it } from 'vitest';
import { incident, result } from '../testing';
import { recurrence } from './recurrence';
import { differences, story } from './story';
import { DAY } from './format';

const nameOf = (id: string) => id;

it('tells an outage in order, naming together what went together', () => {
  const root = incident(1, { resolved_at: 60_000 });
  const caused = [
    incident(3, {
      service: 'web',
      service_name: 'Web',
      caused_by: 'db',
      detected_at: 20_000,
      resolved_at: 61_000,
    }),
    incident(2, { service: 'api', service_name: 'API', caused_by: 'db', detected_at: 12_000 }),
    incident(4, { service: 'auth', service_name: 'Auth', caused_by: 'db', detected_at: 12_900 }),
  ];
  expect(story(root, caused, nameOf).map((m) => [m.at, m.who])).toEqual([
    [0, 'PostgreSQL'],
    [10_000, 'named down'],
    [12_000, 'API and Auth'],
    [20_000, 'Web'],
    [60_000, 'PostgreSQL is answering again'],
    [61_000, 'Web'],
  ]);
});

it('tints only what differs between the last good result and the failure', () => {
  const good = result({ metadata: { address: '10.0.0.1', status: '200', certificate_days: '61' } });
  const failed = result({ metadata: { address: '10.0.0.1', status: '503' } });
  const differing = differences(good, failed).filter((row) => row.differs);
  expect(differing.map((row) => [row.label, row.good, row.failed])).toEqual([
    ['status', '200', '503'],
    ['certificate days', '61', '–'],
  ]);
  expect(differences(null, failed).some((row) => row.differs)).toBe(false);
});

it('counts how often it happened and how long it usually lasts, in 90 days', () => {
  const now = 200 * DAY;
  const past = (id: number, daysAgo: number, minutes: number, service = 'db') =>
    incident(id, {
      service,
      started_at: now - daysAgo * DAY,
      resolved_at: now - daysAgo * DAY + minutes * 60_000,
    });
  const found = recurrence(incident(9, { started_at: now }), [
    past(1, 10, 4),
    past(2, 20, 8),
    past(3, 91, 500),
    past(4, 5, 700, 'other'),
  ]);
  expect(found.times).toBe(3);
  expect(found.usually).toBe(6 * 60_000);
  expect(found.earlier.map((i) => i.id)).toEqual([1, 2]);
});
