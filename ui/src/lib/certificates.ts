import type { Certificate } from './backend/bindings';
import { count, DAY } from './format';

export type Validity = { tone: 'plain' | 'degraded' | 'unhealthy'; words: string };

const SOON_DAYS = 14;

/** How long a certificate still lasts: "61 days left", "expired 2 days ago", "not valid yet". */
export function validity(certificate: Certificate, now: number): Validity {
  if (certificate.not_before * 1000 > now) return { tone: 'unhealthy', words: 'not valid yet' };
  const days = Math.floor((certificate.not_after * 1000 - now) / DAY);
  if (days < 0) {
    const ago = Math.floor((now - certificate.not_after * 1000) / DAY);
    return { tone: 'unhealthy', words: ago === 0 ? 'expired today' : `expired ${count(ago, 'day')} ago` };
  }
  const words = days === 0 ? 'ends today' : `${count(days, 'day')} left`;
  return { tone: days < SOON_DAYS ? 'degraded' : 'plain', words };
}

/** "CN=api.example.com, O=Example" as "api.example.com": the name people know it by, the rest where there is none. */
export function commonName(subject: string): string {
  return /(?:^|,\s*)CN=((?:\\.|[^,\\])+)/i.exec(subject)?.[1] ?? subject;
}
