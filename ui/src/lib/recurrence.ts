import type { Incident } from './backend/bindings';
import { DAY, median } from './format';

const PERIOD = 90 * DAY;

export type Recurrence = {
  /** Resolved incidents of the same service in the 90 days before, newest first. */
  earlier: Incident[];
  /** How often it has happened, this time included. */
  times: number;
  /** The median duration of the earlier ones. */
  usually: number | null;
};

export function recurrence(incident: Incident, resolved: Incident[]): Recurrence {
  const earlier = resolved
    .filter(
      (i) =>
        i.service === incident.service &&
        i.id !== incident.id &&
        i.started_at < incident.started_at &&
        i.started_at >= incident.started_at - PERIOD,
    )
    .sort((a, b) => b.started_at - a.started_at);
  const lasted = earlier.flatMap((i) => (i.resolved_at === null ? [] : i.resolved_at - i.started_at));
  return { earlier, times: earlier.length + 1, usually: median(lasted) };
}
