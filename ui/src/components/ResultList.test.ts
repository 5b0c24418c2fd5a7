import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, expect, it, vi } from 'vitest';
import { setBackend } from '../lib/backend';
import { result } from '../testing';
import ResultList from './ResultList.svelte';

afterEach(() => setBackend(null));

const failed = result({ at: 2, status: 'unhealthy', message: '503 Service Unavailable' });

it('opens a result in full, and shows what the server sent as text', async () => {
  const call = vi.fn(() =>
    Promise.resolve({
      ...failed,
      phases: { dns: 2, wait: 40 },
      evidence: { body: '<b>upstream</b>', headers: [['server', '<i>nginx</i>']] },
    }),
  );
  setBackend({ call: call as never, listen: () => Promise.resolve(() => {}) });
  render(ResultList, { service: 'api', results: [failed, result({ at: 1 })] });

  const row = screen.getByRole('button', { name: /503/ });
  expect(row.getAttribute('aria-expanded')).toBe('false');
  await fireEvent.click(row);
  expect(call).toHaveBeenCalledWith('result', { id: 'api', at: 2 });
  expect((await screen.findByText('<b>upstream</b>')).tagName).toBe('PRE');
  expect(screen.getByText('<i>nginx</i>').tagName).toBe('TD');
  expect(screen.getByRole('row', { name: 'Wait (first byte) broke off after 40 ms' })).toBeTruthy();

  await fireEvent.click(row);
  expect(screen.queryByText('<b>upstream</b>')).toBeNull();
});

it('stands still while a result is open', async () => {
  setBackend({ call: (() => Promise.resolve(null)) as never, listen: () => Promise.resolve(() => {}) });
  const view = render(ResultList, { service: 'api', results: [failed] });
  await fireEvent.click(screen.getByRole('button', { name: /503/ }));
  await view.rerender({ results: [result({ at: 3 }), failed] });
  expect(screen.getAllByRole('listitem')).toHaveLength(1);
  await fireEvent.click(screen.getByRole('button', { name: /503/ }));
  expect(screen.getAllByRole('listitem')).toHaveLength(2);
});
