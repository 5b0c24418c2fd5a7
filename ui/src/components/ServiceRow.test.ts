import { fireEvent, render, screen } from '@testing-library/svelte';
import { beforeEach, expect, it, vi } from 'vitest';
import { store } from '../lib/store/store.svelte';
import { head, service } from '../testing';
import ServiceRow from './ServiceRow.svelte';

const api = service('api', {
  name: 'API Gateway',
  status: 'unhealthy',
  caused_by: 'db',
  message: '<b>503</b> Service Unavailable',
  bars: [{ at: 1, status: 'unhealthy', ms: null }],
});

beforeEach(() => {
  store.load({ head: head(), services: [service('db', { name: 'PostgreSQL' }), api] });
});

it('says what caused it, and shows a server’s words as text', () => {
  render(ServiceRow, { service: api, figures: undefined, onmenu: () => {} });
  expect(screen.getByText('caused by PostgreSQL · <b>503</b> Service Unavailable')).toBeTruthy();
  expect(screen.getByRole('link', { name: 'API Gateway' }).getAttribute('href')).toBe('#/service/api');
  expect(screen.getByRole('img', { name: 'down' })).toBeTruthy();
  expect(screen.getByRole('img', { name: 'Last 1 checks: 1 unhealthy' })).toBeTruthy();
});

it('opens its menu by button and by right click', async () => {
  const onmenu = vi.fn();
  render(ServiceRow, { service: api, figures: undefined, onmenu });
  await fireEvent.click(screen.getByRole('button', { name: 'Actions for API Gateway' }));
  await fireEvent.contextMenu(screen.getByRole('listitem'));
  expect(onmenu.mock.calls.map(([id]) => id)).toEqual(['api', 'api']);
});
