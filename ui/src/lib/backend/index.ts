import type { Backend } from './backend';
import type { Commands, Push } from './bindings';
import { tauri } from './tauri';

export type { Backend } from './backend';

let backend: Backend | null = null;

/** Chooses the backend. Outside the app's own window, development builds invent their data. */
export async function connect(): Promise<void> {
  if ((import.meta.env.DEV || import.meta.env.MODE === 'fake') && !('__TAURI_INTERNALS__' in window)) {
    const { createFake } = await import('./fake');
    backend = createFake(new URLSearchParams(location.search));
  } else {
    backend = tauri;
  }
}

export function setBackend(next: Backend | null): void {
  backend = next;
}

export function call<K extends keyof Commands>(
  name: K,
  args: Commands[K]['args'],
): Promise<Commands[K]['reply']> {
  if (!backend) return Promise.reject('The window is not connected to Pilotlight.');
  return backend.call(name, args);
}

export async function listen(handler: (push: Push) => void): Promise<() => void> {
  if (!backend) throw new Error('listen before connect');
  return backend.listen(handler);
}
