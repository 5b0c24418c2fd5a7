import type { CheckResult, Head, Incident, ServiceSummary } from './lib/backend/bindings';

export function service(id: string, part: Partial<ServiceSummary> = {}): ServiceSummary {
  return {
    id,
    name: id.toUpperCase(),
    group: null,
    kind: 'http',
    target: `https://${id}.example.com/`,
    status: 'healthy',
    since: 0,
    message: '200 OK',
    response_time_ms: 43,
    caused_by: null,
    flapping: false,
    pause: null,
    muted_until: null,
    bars: [],
    every_ms: 15_000,
    depends_on: [],
    ...part,
  };
}

export function result(part: Partial<CheckResult> = {}): CheckResult {
  return { at: 0, status: 'healthy', response_time_ms: 43, message: '200 OK', metadata: {}, ...part };
}

export function incident(id: number, part: Partial<Incident> = {}): Incident {
  return {
    id,
    service: 'db',
    service_name: 'PostgreSQL',
    started_at: 0,
    detected_at: 10_000,
    resolved_at: null,
    checks_failed: 3,
    caused_by: null,
    affected: [],
    first_failure: result({ status: 'unhealthy', response_time_ms: null, message: 'connection refused' }),
    last_good: result(),
    ...part,
  };
}

export function head(part: Partial<Head> = {}): Head {
  return {
    at: 0,
    overall: 'healthy',
    root_causes: 0,
    headline: 'All 2 services are healthy',
    detail: '',
    incidents: [],
    pause: null,
    banners: [],
    demo: false,
    ...part,
  };
}
