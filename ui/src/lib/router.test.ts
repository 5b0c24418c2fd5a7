import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { parent, parse, pathOf, router, type Route } from './router.svelte';

describe('routes', () => {
  it.each<[string, Route]>([
    ['/', { page: 'overview' }],
    ['/service/api', { page: 'service', id: 'api' }],
    ['/incidents', { page: 'incidents' }],
    ['/incident/12', { page: 'incident', id: 12 }],
    ['/settings', { page: 'settings', section: 'services' }],
    ['/settings/about', { page: 'settings', section: 'about' }],
    ['/settings/services/api', { page: 'edit', id: 'api' }],
    ['/settings/new', { page: 'new', from: null }],
    ['/settings/new?from=api', { page: 'new', from: 'api' }],
  ])('%s', (path, route) => {
    expect(parse(path)).toEqual(route);
    expect(pathOf(route)).toBe(path);
  });

  it('leads somewhere for anything else', () => {
    expect(parse('')).toEqual({ page: 'overview' });
    expect(parse('#/nowhere')).toEqual({ page: 'overview' });
    expect(parse('/incident/x')).toEqual({ page: 'incidents' });
    expect(parse('/service/%E0')).toEqual({ page: 'service', id: '%E0' });
  });

  it('knows the page above', () => {
    expect(parent({ page: 'incident', id: 1 })).toEqual({ page: 'incidents' });
    expect(parent({ page: 'edit', id: 'api' })).toEqual({ page: 'settings', section: 'services' });
    expect(parent({ page: 'service', id: 'api' })).toEqual({ page: 'overview' });
  });
});

describe('going back', () => {
  const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

  it('goes to the page above when there is nowhere to go back to', async () => {
    location.hash = '#/incident/4';
    await settle();
    const stop = router.start();
    router.back();
    await settle();
    expect(router.route).toEqual({ page: 'incidents' });
    stop();
  });
});

describe('a guarded page', () => {
  let stop: () => void;
  const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

  beforeEach(async () => {
    location.hash = '#/settings/services/api';
    await settle();
    stop = router.start();
  });
  afterEach(() => {
    router.guard = null;
    stop();
  });

  it('stays when leaving is refused', async () => {
    router.guard = vi.fn(() => Promise.resolve(false));
    router.go('/');
    await settle();
    expect(router.guard).toHaveBeenCalledOnce();
    expect(router.path).toBe('/settings/services/api');
    expect(location.hash).toBe('#/settings/services/api');
  });

  it('goes where it was bound when leaving is allowed', async () => {
    router.guard = () => Promise.resolve(true);
    router.go('/incidents');
    await settle();
    expect(router.route).toEqual({ page: 'incidents' });
  });
});
