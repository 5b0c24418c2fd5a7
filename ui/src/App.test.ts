import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import App from './App.svelte';
import { setBackend, type Backend } from './lib/backend';
import type { Problem } from './lib/backend/bindings';
import { createFake } from './lib/backend/fake';
import { router } from './lib/router.svelte';
import { store } from './lib/store/store.svelte';

function open(scenario: string, path = '/'): Backend {
  location.hash = `#${path}`;
  const backend = createFake(new URLSearchParams({ scenario, still: '', delay: '0' }));
  vi.spyOn(backend, 'call');
  setBackend(backend);
  render(App);
  return backend;
}

/** The next save lasts until it is given its reply. */
function holdSave(backend: Backend): (problems: Problem[]) => void {
  let reply: (problems: Problem[]) => void = () => {};
  const saved = new Promise<Problem[]>((resolve) => (reply = resolve));
  vi.mocked(backend.call).mockImplementationOnce(() => saved);
  return reply;
}

beforeEach(() => {
  window.scrollTo = () => {};
  vi.stubGlobal('matchMedia', () => ({ matches: false, addEventListener() {}, removeEventListener() {} }));
});

afterEach(() => {
  setBackend(null);
  store.head = null;
  store.services = [];
});

it('welcomes whoever has no services, and starts the demo', async () => {
  open('empty');
  expect(await screen.findByRole('link', { name: 'Add your first service' })).toBeTruthy();
  await fireEvent.click(screen.getByRole('button', { name: 'Try the demo' }));
  expect(
    await screen.findByRole('heading', { name: 'PostgreSQL is down, 5 services affected' }),
  ).toBeTruthy();
});

it('leads with the root cause and what it takes with it', async () => {
  open('outage');
  const card = await screen.findByRole('article', { name: 'PostgreSQL' });
  expect(card.textContent).toContain('connection refused (10.0.4.12:5432)');
  expect(card.textContent).toContain('user-service');
  expect(screen.getAllByRole('article')).toHaveLength(1);
  expect(screen.getByText('2 of 3 down, caused by PostgreSQL')).toBeTruthy();
});

it('filters services and groups', async () => {
  open('outage');
  await fireEvent.input(await screen.findByRole('searchbox'), { target: { value: 'down edge' } });
  const rows = screen.getAllByRole('button', { name: /^Actions for/ });
  expect(rows.map((row) => row.getAttribute('aria-label'))).toEqual([
    'Actions for API Gateway',
    'Actions for Web Frontend',
  ]);
});

it('checks now, and shows what went wrong with a command', async () => {
  const backend = open('healthy');
  vi.mocked(backend.call).mockImplementationOnce(() => Promise.reject('The engine is not running.'));
  await screen.findByRole('heading', { level: 1 }).catch(() => {});
  await fireEvent.click(await screen.findByRole('button', { name: 'Try again' }));
  await screen.findByRole('heading', { name: 'All 10 services are healthy' });
  vi.mocked(backend.call).mockImplementationOnce(() => Promise.reject('Nothing to check.'));
  await fireEvent.keyDown(window, { key: 'c' });
  expect(await screen.findByText('Nothing to check.')).toBeTruthy();
});

it('names a mistake under its field once it was touched, and saves when it is mended', async () => {
  const backend = open('outage', '/settings/services/api');
  const url = await screen.findByRole('textbox', { name: 'URL' });
  await fireEvent.input(url, { target: { value: 'api' } });
  await fireEvent.focusOut(url);
  expect(await screen.findByText('Not an address. Begin with https:// or http://.')).toBeTruthy();
  expect(url.getAttribute('aria-invalid')).toBe('true');

  await fireEvent.input(url, { target: { value: 'https://api.example.com/ready' } });
  await waitFor(() => expect(url.getAttribute('aria-invalid')).toBe('false'));
  await fireEvent.keyDown(window, { key: 's', ctrlKey: true });
  expect(await screen.findByText('Saved API Gateway.')).toBeTruthy();
  const saved = vi.mocked(backend.call).mock.calls.find(([name]) => name === 'save_service')?.[1];
  expect(saved).toMatchObject({
    original: 'api',
    values: { url: 'https://api.example.com/ready', expect_status: ['200-299'] },
  });
});

it('asks before unsaved changes are lost', async () => {
  open('outage', '/settings/services/api');
  await fireEvent.input(await screen.findByRole('textbox', { name: 'Name' }), {
    target: { value: 'Gateway' },
  });
  location.hash = '#/';
  const dialog = await screen.findByRole('alertdialog', { name: 'Leave without saving?' });
  expect(dialog.textContent).toContain('Gateway');
  await fireEvent.click(screen.getByRole('button', { name: 'Keep editing' }));
  expect(screen.getByRole<HTMLInputElement>('textbox', { name: 'Name' }).value).toBe('Gateway');
});

it('waits for a save instead of asking, and then goes where one was bound', async () => {
  const backend = open('outage', '/settings/services/api');
  await fireEvent.input(await screen.findByRole('textbox', { name: 'Name' }), {
    target: { value: 'Gateway' },
  });
  const reply = holdSave(backend);
  await fireEvent.click(screen.getByRole('button', { name: 'Save' }));
  router.go('/incidents');
  await tick();
  expect(router.path).toBe('/settings/services/api');
  expect(screen.queryByRole('alertdialog')).toBeNull();
  reply([]);
  expect(await screen.findByText('Saved Gateway.')).toBeTruthy();
  await waitFor(() => expect(router.path).toBe('/incidents'));
  expect(screen.queryByRole('alertdialog')).toBeNull();
});

it('stays, and asks again, when what was to be saved has a mistake', async () => {
  const backend = open('outage', '/settings/services/api');
  await fireEvent.input(await screen.findByRole('textbox', { name: 'Name' }), {
    target: { value: 'Gateway' },
  });
  const reply = holdSave(backend);
  await fireEvent.click(screen.getByRole('button', { name: 'Save' }));
  router.go('/incidents');
  reply([{ field: 'name', message: 'Taken.', help: '' }]);
  expect(await screen.findByText('Taken.')).toBeTruthy();
  const save = screen.getByRole<HTMLButtonElement>('button', { name: 'Save' });
  await waitFor(() => expect(save.disabled).toBe(false));
  expect(router.path).toBe('/settings/services/api');
  router.go('/incidents');
  expect(await screen.findByRole('alertdialog', { name: 'Leave without saving?' })).toBeTruthy();
  await fireEvent.click(screen.getByRole('button', { name: 'Leave' }));
  await waitFor(() => expect(router.path).toBe('/incidents'));
});

it('leaves when what it asks about is saved meanwhile', async () => {
  open('outage', '/settings/services/api');
  await fireEvent.input(await screen.findByRole('textbox', { name: 'Name' }), {
    target: { value: 'Gateway' },
  });
  router.go('/incidents');
  await screen.findByRole('alertdialog', { name: 'Leave without saving?' });
  await fireEvent.keyDown(window, { key: 's', ctrlKey: true });
  expect(await screen.findByText('Saved Gateway.')).toBeTruthy();
  await waitFor(() => expect(screen.queryByRole('alertdialog')).toBeNull());
  expect(router.path).toBe('/incidents');
});

it('requires of a new service what the schema requires', async () => {
  open('outage', '/settings/new');
  const required = async (name: string) =>
    (await screen.findByRole('textbox', { name })).getAttribute('aria-required');
  expect(await required('Name')).toBe('false');
  expect(await required('Id')).toBe('true');
  expect(await required('URL')).toBe('true');
});

it('goes back with Esc to where one came from', async () => {
  open('outage', '/incident/100');
  await fireEvent.click(await screen.findByRole('link', { name: 'Show PostgreSQL' }));
  await screen.findByRole('heading', { name: 'PostgreSQL', level: 1 });
  const back = vi.spyOn(history, 'back').mockImplementation(() => {});
  await fireEvent.keyDown(window, { key: 'Escape' });
  expect(back).toHaveBeenCalledOnce();
  back.mockRestore();
});

it('removes a service and takes it back', async () => {
  open('outage', '/settings');
  await fireEvent.click(await screen.findByRole('button', { name: 'Move Redis up' }));
  await waitFor(() => expect(store.services[0]?.id).toBe('redis'));
  await fireEvent.click(screen.getByRole('button', { name: 'Actions for Redis' }));
  await fireEvent.click(await screen.findByRole('menuitem', { name: 'Remove' }));
  expect(await screen.findByText('Removed Redis.')).toBeTruthy();
  expect(store.byId.has('redis')).toBe(false);
  await fireEvent.click(screen.getByRole('button', { name: 'Undo' }));
  await waitFor(() => expect(store.byId.has('redis')).toBe(true));
});

it('tells an incident', async () => {
  open('outage', '/incident/100');
  expect(
    await screen.findByRole('heading', { name: 'PostgreSQL is the cause; 5 services went with it' }),
  ).toBeTruthy();
  expect(await screen.findByText('2nd time in 90 days, usually 7 min 40 s')).toBeTruthy();
});
