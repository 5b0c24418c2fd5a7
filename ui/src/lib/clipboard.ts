import { toasts } from './store/toasts.svelte';

/** Says what was copied, or that it could not be. */
export async function copy(text: string, what: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    toasts.show(`Copied ${what}.`);
  } catch {
    toasts.show('The clipboard cannot be written.', { tone: 'bad' });
  }
}
