import { describe, expect, it } from 'vitest';
import { head, service } from '../../testing';
import { groupServices, mergeServices, Store } from './store.svelte';

const a = service('a', { group: 'One' });
const b = service('b', { group: 'Two' });
const c = service('c', { group: 'One' });

describe('mergeServices', () => {
  it('replaces what changed and keeps the rest as it is', () => {
    const changed = { ...b, message: 'slow' };
    const merged = mergeServices([a, b, c], [changed], null);
    expect(merged).toEqual([a, changed, c]);
    expect(merged[0]).toBe(a);
  });

  it('keeps the list when nothing changed', () => {
    const list = [a, b];
    expect(mergeServices(list, [], null)).toBe(list);
  });

  it('adds, removes and orders as told', () => {
    const d = service('d');
    expect(mergeServices([a, b, c], [d], ['c', 'd', 'a']).map((s) => s.id)).toEqual(['c', 'd', 'a']);
  });

  it('does not lose a new service that came without an order', () => {
    expect(mergeServices([a], [b], null)).toEqual([a, b]);
  });

  it('leaves out an ordered id it knows nothing about', () => {
    expect(mergeServices([a], [], ['x', 'a'])).toEqual([a]);
  });
});

it('groups in the order groups are first named', () => {
  expect(groupServices([a, b, c]).map((g) => [g.name, g.services.map((s) => s.id)])).toEqual([
    ['One', ['a', 'c']],
    ['Two', ['b']],
  ]);
});

it('merges figures of some services into those of all', () => {
  const store = new Store();
  store.load({ head: head(), services: [a, b] });
  store.apply({ type: 'figures', figures: { a: { p95_ms: 1, availability_30d: 100 } } });
  store.apply({ type: 'figures', figures: { b: { p95_ms: 2, availability_30d: 99 } } });
  expect(Object.keys(store.figures)).toEqual(['a', 'b']);
});
