import { call } from './backend';
import type { Commands } from './backend/bindings';
import { toasts } from './store/toasts.svelte';

/** Runs a command whose outcome arrives as a push; says so if it fails. */
export async function act<K extends keyof Commands>(name: K, args: Commands[K]['args']): Promise<boolean> {
  try {
    await call(name, args);
    return true;
  } catch (error) {
    toasts.fail(error);
    return false;
  }
}

/** Minutes until eight o'clock tomorrow morning. */
export function minutesUntilTomorrow(now: number): number {
  const morning = new Date(now);
  morning.setDate(morning.getDate() + 1);
  morning.setHours(8, 0, 0, 0);
  return Math.ceil((morning.getTime() - now) / 60_000);
}
