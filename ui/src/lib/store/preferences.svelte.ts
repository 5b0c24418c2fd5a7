import { call } from '../backend';
import type { Preferences } from '../backend/bindings';
import { toasts } from './toasts.svelte';

class PreferencesStore {
  value = $state.raw<Preferences | null>(null);

  async load(): Promise<void> {
    this.value = await call('preferences', {});
  }

  /** Shown at once; taken back if it cannot be saved. */
  async change(part: Partial<Preferences>): Promise<void> {
    if (!this.value) return;
    const before = this.value;
    this.value = { ...before, ...part };
    try {
      await call('save_preferences', { preferences: this.value });
    } catch (error) {
      this.value = before;
      toasts.fail(error);
    }
  }
}

export const preferences = new PreferencesStore();
