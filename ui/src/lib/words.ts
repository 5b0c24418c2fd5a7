import type { Overall, Pause, ServiceSummary } from './backend/bindings';
import * as format from './format';

/** The second line of a service's row; empty when there is nothing to say. */
export function subline(service: ServiceSummary, nameOf: (id: string) => string, now: number): string {
  const parts: string[] = [];
  switch (service.status) {
    case 'paused':
      parts.push(pausedWords(service.pause, now));
      break;
    case 'unknown':
      parts.push(service.message || 'no result yet');
      break;
    case 'degraded':
    case 'unhealthy':
      if (service.caused_by) parts.push(`caused by ${nameOf(service.caused_by)}`);
      if (service.message) parts.push(service.message);
      break;
    case 'healthy':
      break;
  }
  if (service.flapping) parts.unshift('flapping');
  if (service.muted_until && service.muted_until > now) {
    parts.push(`muted until ${format.until(service.muted_until, now)}`);
  }
  return parts.join(' · ');
}

export function pausedWords(pause: Pause | null, now: number): string {
  return pause?.until ? `paused until ${format.until(pause.until, now)}` : 'paused';
}

/** What a group's head says beside its name; empty when all is fine. */
export function groupWords(services: ServiceSummary[], nameOf: (id: string) => string, now: number): string {
  const total = services.length;
  const down = services.filter((s) => s.status === 'unhealthy');
  if (down.length > 0) {
    const causes = new Set(down.map((s) => s.caused_by));
    const [cause] = causes;
    return `${down.length} of ${total} down${causes.size === 1 && cause ? `, caused by ${nameOf(cause)}` : ''}`;
  }
  const slow = services.filter((s) => s.status === 'degraded').length;
  if (slow > 0) return `${slow} of ${total} slow`;
  const paused = services.filter((s) => s.status === 'paused');
  if (paused.length > 0 && services.every((s) => s.status === 'paused' || s.status === 'unknown')) {
    const ends = new Set(paused.map((s) => s.pause?.until ?? null));
    return ends.size === 1 ? pausedWords(paused[0]?.pause ?? null, now) : 'paused';
  }
  return '';
}

const STATUS_FILTERS: Record<string, ServiceSummary['status'][]> = {
  down: ['unhealthy'],
  slow: ['degraded'],
  paused: ['paused'],
};

/** Every word must be found: in name, group, id, kind or target, or as a status (`down`, `slow`, `paused`). */
export function matches(service: ServiceSummary, filter: string): boolean {
  const haystack = [service.name, service.group ?? '', service.id, service.kind, service.target]
    .join('\n')
    .toLowerCase();
  return filter
    .toLowerCase()
    .split(/\s+/)
    .filter(Boolean)
    .every((word) => STATUS_FILTERS[word]?.includes(service.status) || haystack.includes(word));
}

/** The time the bars of all these services span, or how many checks they are. */
export function barsHead(services: ServiceSummary[]): string {
  const [first] = services;
  if (!first || services.some((s) => s.every_ms !== first.every_ms)) return 'last 60 checks';
  return `last ${format.interval(first.every_ms * 60)}`;
}

export const OVERALL_WORD: Record<Overall, string> = {
  healthy: 'All healthy',
  degraded: 'Degraded',
  unhealthy: 'Down',
  unknown: 'Not known yet',
  offline: 'Offline',
  paused: 'Paused',
};

/** "certificate_days" as "certificate days". */
export function metadataLabel(key: string): string {
  return key.replaceAll('_', ' ');
}
