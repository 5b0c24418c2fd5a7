export type Phase = { name: string; ms: number };

const PHASES = ['dns', 'connect', 'tls', 'wait', 'receive'];

/** Where the time of a result went, from its `dns_ms`, `connect_ms`, …; in that order. */
export function phasesOf(metadata: Record<string, string>): Phase[] {
  return PHASES.flatMap((name) => {
    const ms = Number.parseFloat(metadata[`${name}_ms`] ?? '');
    return Number.isFinite(ms) && ms >= 0 ? { name, ms } : [];
  });
}

export function isPhase(key: string): boolean {
  return key.endsWith('_ms') && PHASES.includes(key.slice(0, -3));
}

/** "certificate_days" as "certificate days". */
export function metadataLabel(key: string): string {
  return isPhase(key) ? key.slice(0, -3) : key.replaceAll('_', ' ');
}

export function metadataValue(key: string, value: string): string {
  return isPhase(key) ? `${value} ms` : value;
}
