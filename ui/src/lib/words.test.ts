import { describe, expect, it } from 'vitest';
import { service } from '../testing';
import { barsHead, groupWords, matches, subline } from './words';

const names: Record<string, string> = { db: 'PostgreSQL' };
const nameOf = (id: string) => names[id] ?? id;
const now = new Date(2025, 10, 22, 14).getTime();
const threeOClock = new Date(2025, 10, 22, 15).getTime();

describe('subline', () => {
  const line = (part: Parameters<typeof service>[1]) => subline(service('a', part), nameOf, now);

  it('is silent when healthy', () => expect(line({})).toBe(''));
  it('names the cause before the message', () =>
    expect(line({ status: 'unhealthy', caused_by: 'db', message: '503 Service Unavailable' })).toBe(
      'caused by PostgreSQL · 503 Service Unavailable',
    ));
  it('says that nothing is known yet', () =>
    expect(line({ status: 'unknown', message: '' })).toBe('no result yet'));
  it('says until when it is paused', () =>
    expect(line({ status: 'paused', pause: { until: threeOClock } })).toBe('paused until 15:00'));
  it('says paused when there is no end', () =>
    expect(line({ status: 'paused', pause: { until: null } })).toBe('paused'));
  it('says flapping even when healthy', () => expect(line({ flapping: true })).toBe('flapping'));
  it('forgets a mute that is over', () => expect(line({ muted_until: now - 1 })).toBe(''));
});

describe('groupWords', () => {
  const down = { status: 'unhealthy' } as const;

  it('counts those down', () =>
    expect(groupWords([service('a', down), service('b')], nameOf, now)).toBe('1 of 2 down'));
  it('names the one cause they share', () =>
    expect(
      groupWords(
        [
          service('a', { ...down, caused_by: 'db' }),
          service('b', { ...down, caused_by: 'db' }),
          service('c'),
        ],
        nameOf,
        now,
      ),
    ).toBe('2 of 3 down, caused by PostgreSQL'));
  it('names no cause when one of them is on its own', () =>
    expect(groupWords([service('a', { ...down, caused_by: 'db' }), service('b', down)], nameOf, now)).toBe(
      '2 of 2 down',
    ));
  it('says paused only when all of it is', () => {
    const paused = service('a', { status: 'paused', pause: { until: threeOClock } });
    expect(groupWords([paused, service('b', { status: 'unknown' })], nameOf, now)).toBe('paused until 15:00');
    expect(groupWords([paused, service('b')], nameOf, now)).toBe('');
  });
});

describe('matches', () => {
  const api = service('api-1', { name: 'Gateway', group: 'Edge', status: 'unhealthy' });

  it.each(['gate', 'EDGE', 'api-1', 'http', 'down', 'edge down', ''])('finds by "%s"', (text) =>
    expect(matches(api, text)).toBe(true),
  );
  it.each(['slow', 'edge slow', 'nothing'])('is not found by "%s"', (text) =>
    expect(matches(api, text)).toBe(false),
  );
});

it('says what the bars span only when all span the same', () => {
  expect(barsHead([service('a'), service('b')])).toBe('last 15 min');
  expect(barsHead([service('a'), service('b', { every_ms: 180_000 })])).toBe('last 60 checks');
});
