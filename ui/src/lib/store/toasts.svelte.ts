export type Toast = {
  id: number;
  text: string;
  tone: 'plain' | 'bad';
  action?: { label: string; run: () => void };
};

const SHOWN_MS = 6000;
const SHOWN_WITH_ACTION_MS = 12_000;

class Toasts {
  list = $state.raw<Toast[]>([]);
  #next = 1;

  show(text: string, options: { tone?: Toast['tone']; action?: Toast['action'] } = {}): void {
    const toast: Toast = { id: this.#next++, text, tone: options.tone ?? 'plain', action: options.action };
    this.list = [...this.list.filter((t) => t.text !== text), toast].slice(-3);
    setTimeout(() => this.dismiss(toast.id), toast.action ? SHOWN_WITH_ACTION_MS : SHOWN_MS);
  }

  fail(error: unknown): void {
    this.show(errorText(error), { tone: 'bad' });
  }

  dismiss(id: number): void {
    this.list = this.list.filter((t) => t.id !== id);
  }
}

/** Commands reject with a string for people. */
export function errorText(error: unknown): string {
  if (typeof error === 'string') return error;
  return error instanceof Error ? error.message : String(error);
}

export const toasts = new Toasts();
