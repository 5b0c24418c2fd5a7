import type { CheckResult, Incident } from './backend/bindings';
import { duration, list, NONE } from './format';
import { metadataLabel } from './words';

export type Moment = {
  at: number;
  tone: 'unhealthy' | 'healthy' | 'plain';
  /** Set strong, before the words. */
  who: string;
  words: string;
  /** What a server said. */
  said?: string;
};

/** Services named within a second of each other are told in one sentence. */
const TOGETHER_MS = 1500;

/** What happened, in order, as far as the incidents tell. */
export function story(incident: Incident, caused: Incident[], nameOf: (id: string) => string): Moment[] {
  const moments: Moment[] = [
    {
      at: incident.started_at,
      tone: 'unhealthy',
      who: incident.service_name,
      words: 'first failure:',
      said: incident.first_failure.message,
    },
    {
      at: incident.detected_at,
      tone: 'unhealthy',
      who: 'named down',
      words: [
        `${duration(incident.detected_at - incident.started_at)} after the first failure`,
        ...(incident.caused_by ? [`caused by ${nameOf(incident.caused_by)}, not announced`] : []),
      ].join(' · '),
    },
  ];
  const later = [...caused].sort((a, b) => a.detected_at - b.detected_at);
  for (let i = 0; i < later.length;) {
    const at = later[i]?.detected_at ?? 0;
    const together = later.slice(i).filter((c) => c.detected_at - at <= TOGETHER_MS);
    moments.push({
      at,
      tone: 'unhealthy',
      who: list(together.map((c) => c.service_name)),
      words: `down, caused by ${incident.service_name}, not announced`,
    });
    i += together.length;
  }
  const back = caused.flatMap((c) =>
    c.resolved_at === null ? [] : [{ at: c.resolved_at, name: c.service_name }],
  );
  if (incident.resolved_at !== null) {
    moments.push({
      at: incident.resolved_at,
      tone: 'healthy',
      who: `${incident.service_name} is answering again`,
      words: `after ${duration(incident.resolved_at - incident.started_at)}, ${incident.checks_failed} failed checks`,
    });
  }
  for (const { at, name } of back) {
    moments.push({ at, tone: 'healthy', who: name, words: 'is answering again' });
  }
  return moments.sort((a, b) => a.at - b.at);
}

export type Difference = { key: string; label: string; good: string; failed: string; differs: boolean };

/** Times of two results are never equal; only these are worth a look. */
export function timesDiffer(good: number | null, failed: number | null): boolean {
  if (good === null || failed === null) return good !== failed;
  return Math.abs(failed - good) > 20 && Math.max(good, failed) > 2 * Math.min(good, failed);
}

/** Every metadata key of either result, with whether the two say something different. */
export function differences(good: CheckResult | null, failed: CheckResult): Difference[] {
  const keys = [...new Set([...Object.keys(good?.metadata ?? {}), ...Object.keys(failed.metadata)])];
  return keys.map((key) => {
    const before = good?.metadata[key];
    const after = failed.metadata[key];
    return {
      key,
      label: metadataLabel(key),
      good: before ?? NONE,
      failed: after ?? NONE,
      differs: good !== null && before !== after,
    };
  });
}
