import { render, screen } from '@testing-library/svelte';
import { afterEach, expect, it } from 'vitest';
import { setBackend } from '../lib/backend';
import { store } from '../lib/store/store.svelte';
import { head, incident, result, service } from '../testing';
import IncidentPage from './IncidentPage.svelte';

afterEach(() => setBackend(null));

it('shows in full what is kept of the first failure and the last good result', async () => {
  const down = incident(7, {
    first_failure: result({ at: 20, status: 'unhealthy', message: 'connection refused' }),
    last_good: result({ at: 10 }),
  });
  const replies: Record<string, (args: { at: number }) => unknown> = {
    incidents: () => ({ active: [down], resolved: [] }),
    result: ({ at }) =>
      at === 20
        ? { ...down.first_failure, phases: { connect: 900 }, evidence: { addresses: ['10.0.4.12'] } }
        : null,
  };
  setBackend({
    call: ((name: string, args: { at: number }) => Promise.resolve(replies[name]?.(args))) as never,
    listen: () => Promise.resolve(() => {}),
  });
  store.load({ head: head(), services: [service('db')] });
  render(IncidentPage, { id: 7 });

  expect(await screen.findByRole('table', { name: 'Where the time of the first failure went' })).toBeTruthy();
  expect(screen.getByRole('region', { name: 'What the first failure saw' })).toBeTruthy();
  expect(screen.getAllByText('10.0.4.12').length).toBeGreaterThan(0);
  expect(screen.queryByRole('table', { name: 'Where the time of the last good result went' })).toBeNull();
});
