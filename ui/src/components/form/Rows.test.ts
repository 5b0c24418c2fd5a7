import { fireEvent, render, screen } from '@testing-library/svelte';
import { expect, it, vi } from 'vitest';
import ListEditor from './ListEditor.svelte';

function show(rows: string[]) {
  const onchange = vi.fn();
  const view = render(ListEditor, { rows, label: 'Command', labelledby: 'l', describedby: 'd', onchange });
  onchange.mockImplementation((next: string[]) => view.rerender({ rows: next }));
  return onchange;
}

const written = () => screen.getAllByRole<HTMLInputElement>('textbox').map((input) => input.value);

it('adds a row below with Enter, and goes there', async () => {
  show(['check_disk', '/var']);
  await fireEvent.keyDown(screen.getByLabelText('Command 1'), { key: 'Enter' });
  expect(written()).toEqual(['check_disk', '', '/var']);
  expect(document.activeElement).toBe(screen.getByLabelText('Command 2'));
});

it('moves rows by button and by keyboard, and stays with them', async () => {
  show(['a', 'b', 'c']);
  await fireEvent.keyDown(screen.getByLabelText('Command 1'), { key: 'ArrowDown', altKey: true });
  expect(written()).toEqual(['b', 'a', 'c']);
  expect(document.activeElement).toBe(screen.getByLabelText('Command 2'));
  await fireEvent.click(screen.getByRole('button', { name: 'Move a down' }));
  expect(written()).toEqual(['b', 'c', 'a']);
  expect(screen.getByText('Moved to 3 of 3')).toBeTruthy();
  await fireEvent.keyDown(screen.getByLabelText('Command 3'), { key: 'ArrowDown', altKey: true });
  expect(written()).toEqual(['b', 'c', 'a']);
});

it('removes a row and goes to the next, at last to the button that adds one', async () => {
  show(['a', 'b']);
  await fireEvent.click(screen.getByRole('button', { name: 'Remove a' }));
  expect(document.activeElement).toBe(screen.getByLabelText('Command 1'));
  await fireEvent.click(screen.getByRole('button', { name: 'Remove b' }));
  expect(document.activeElement).toBe(screen.getByRole('button', { name: '+ Add entry' }));
});
