import type { Phases } from './backend/bindings';

const LABELS = {
  dns: 'DNS lookup',
  connect: 'Connect',
  tls: 'TLS handshake',
  send: 'Send',
  wait: 'Wait (first byte)',
  receive: 'Receive',
} as const satisfies Record<keyof Phases, string>;

const ORDER = Object.keys(LABELS) as (keyof Phases)[];

/** One row of a waterfall: `start` is where the phases before it end. */
export type Phase = { name: keyof Phases; label: string; start: number; ms: number };

/** The phases a check came to, in order, each beginning where the one before ended. */
export function waterfall(phases: Phases | undefined): Phase[] {
  const rows: Phase[] = [];
  let start = 0;
  for (const name of ORDER) {
    const ms = phases?.[name];
    if (ms === undefined) continue;
    rows.push({ name, label: LABELS[name], start, ms });
    start += ms;
  }
  return rows;
}

export function totalMs(rows: Phase[]): number {
  const last = rows.at(-1);
  return last ? last.start + last.ms : 0;
}

/** The phase a failed check ended in; null where the answer came in full, and was itself the failure. */
export function brokenPhase(rows: Phase[]): Phase['name'] | null {
  const last = rows.at(-1);
  return last && last.name !== 'receive' ? last.name : null;
}

/** Where a bar is drawn, in percent of the width: never so thin that it cannot be seen, never beyond the end. */
export function bar(phase: Phase, scale: number): { x: number; width: number } {
  const whole = Math.max(scale, 0.001);
  const width = Math.min(100, Math.max(1.2, (phase.ms / whole) * 100));
  return { x: Math.min((phase.start / whole) * 100, 100 - width), width };
}
