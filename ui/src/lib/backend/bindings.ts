// Generated from the Rust types by `make bindings`. Do not edit.

/** Milliseconds since the Unix epoch. */
export type Timestamp = number;

/** The status of one result. */
export type Status = 'healthy' | 'degraded' | 'unhealthy';

/** What a service shows: the judged status of its results, or why there is none. */
export type ServiceStatus = 'healthy' | 'degraded' | 'unhealthy' | 'unknown' | 'paused';

/** The state of everything, as the tray icon shows it. */
export type Overall = 'healthy' | 'degraded' | 'unhealthy' | 'unknown' | 'offline' | 'paused';

/** One observed result of one check. `response_time_ms` is null when nothing answered. */
export type CheckResult = {
  at: Timestamp;
  status: Status;
  response_time_ms: number | null;
  message: string;
  metadata: Record<string, string>;
};

/** One bar of a strip; `status` null = not observed (asleep, offline). */
export type Bar = { at: Timestamp; status: Status | null; ms: number | null };

export type Pause = { until: Timestamp | null };

export type ServiceSummary = {
  id: string;
  name: string;
  group: string | null;
  /** `http`, `tcp`, ... */
  kind: string;
  /** What is checked, for people: `https://api.example.com/health`, `db.internal:5432`. */
  target: string;
  status: ServiceStatus;
  /** When the status began. */
  since: Timestamp | null;
  /** The last result's message; empty before the first. */
  message: string;
  response_time_ms: number | null;
  /** The service whose incident explains this one's. */
  caused_by: string | null;
  flapping: boolean;
  pause: Pause | null;
  muted_until: Timestamp | null;
  /** Oldest first, at most 60. */
  bars: Bar[];
  every_ms: number;
  depends_on: string[];
};

export type Incident = {
  id: number;
  service: string;
  service_name: string;
  started_at: Timestamp;
  detected_at: Timestamp;
  resolved_at: Timestamp | null;
  checks_failed: number;
  caused_by: string | null;
  /** Services with an incident caused by this one. */
  affected: string[];
  first_failure: CheckResult;
  last_good: CheckResult | null;
};

/** A condition of the app itself worth a line at the top of the window. */
export type Banner = { kind: 'config' | 'storage' | 'offline' | 'demo'; title: string; detail: string };

/** Everything of the overview but its services. */
export type Head = {
  at: Timestamp;
  overall: Overall;
  /** Independent outages: incidents without a cause. */
  root_causes: number;
  /** "PostgreSQL is down, 5 services affected" */
  headline: string;
  /** "the other 36 services are healthy" */
  detail: string;
  /** Active incidents, root causes first. */
  incidents: Incident[];
  /** All services paused. */
  pause: Pause | null;
  banners: Banner[];
  demo: boolean;
};

export type Overview = { head: Head; services: ServiceSummary[] };

/** Figures from the history, in the overview's right-hand columns. */
export type Figures = { p95_ms: number | null; availability_30d: number | null };

export type Range = '1h' | '24h' | '7d' | '30d' | '1y';

/** One point of the latency chart: times of one bucket, failed checks left out. */
export type LatencyPoint = {
  at: Timestamp;
  p50_ms: number | null;
  p95_ms: number | null;
  max_ms: number | null;
};

/** A stretch of the chart: an outage, or time that was not observed. */
export type Span = { from: Timestamp; to: Timestamp; what: 'unhealthy' | 'unobserved' };

export type LatencySeries = { from: Timestamp; to: Timestamp; points: LatencyPoint[]; spans: Span[] };

/** By time and by checks; percentages are null without data. */
export type Uptime = {
  period: '24h' | '7d' | '30d';
  availability_pct: number | null;
  uptime_pct: number | null;
  observed_ms: number;
  downtime_ms: number;
  error_budget_left_pct: number | null;
  burn_rate: number | null;
  total_checks: number;
  healthy: number;
  degraded: number;
  unhealthy: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
};

export type Day = {
  date: string;
  uptime_pct: number | null;
  availability_pct: number | null;
  avg_response_ms: number | null;
  p95_response_ms: number | null;
  downtime_ms: number;
  checks: number;
};

export type ServiceDetail = {
  id: string;
  latency: LatencySeries;
  uptime: Uptime[];
  /** The share of availability promised, in percent. */
  slo_pct: number;
  /** Newest first, 30 of them. */
  days: Day[];
  /** Newest first. */
  results: CheckResult[];
  incidents: Incident[];
  depends_on: string[];
  /** Everything that depends on it, transitively. */
  affected_by: string[];
};

export type Incidents = { active: Incident[]; resolved: Incident[] };

/** A value of a form or of config.toml. */
export type Value = string | number | boolean | Value[] | { [key: string]: Value };

/** The keys of a service as config.toml has them: `{ name: "API", check: "http", url: "…" }`. */
export type ServiceValues = Record<string, Value>;

/** How a key is edited and what it may hold. */
export type FieldType =
  | { type: 'text' }
  | { type: 'multiline' }
  | { type: 'url'; schemes: string[] }
  | { type: 'host' }
  | { type: 'integer'; min: number; max: number }
  | { type: 'boolean' }
  | { type: 'duration' }
  | { type: 'regex' }
  | { type: 'choice'; of: string[] }
  /** `["200-299", 301]` */
  | { type: 'status_list' }
  /** `{ "X-Key": "value" }` */
  | { type: 'headers' }
  /** `[{ path: "$.status", equals: "ok" }]`, one operator of `operators` each. */
  | { type: 'json_assertions'; operators: string[] }
  /** Ids of other services. */
  | { type: 'services' };

export type Field = {
  key: string;
  label: string;
  /** One line saying what it does. */
  help: string;
  required: boolean;
  /** What holds when the key is absent, as text; empty if nothing does. */
  default: string;
  value: FieldType;
};

export type Kind = { id: string; label: string; help: string; fields: Field[] };

export type Preset = { id: string; label: string; degraded_above: string; unhealthy_above: string; timeout: string };

export type Tier = { id: string; label: string; every: string };

/** What the form of a service is made of. */
export type FormSchema = {
  /** name, group, depends_on, ... of every kind. */
  identity: Field[];
  /** every, timeout, degraded_above, ... of every kind. */
  timing: Field[];
  kinds: Kind[];
  presets: Preset[];
  tiers: Tier[];
};

/** What is wrong with a form; `field` is a key, or empty for the whole. */
export type Problem = { field: string; message: string; help: string };

/** What a form would do, or what is wrong with it. */
export type Review = {
  problems: Problem[];
  /** "degraded above 500 ms · unhealthy above 2 s · timeout 10 s" */
  thresholds: string;
  /** "down after 3 failures in a row, confirmed every 5 s: known about 10 s after the first" */
  cadence: string;
  /** Allowed, but worth knowing. */
  warnings: string[];
};

export type TestReport = { problems: Problem[]; result: CheckResult | null };

export type Theme = 'system' | 'light' | 'dark';

export type Preferences = {
  theme: Theme;
  start_at_login: boolean;
  notifications: boolean;
  /** Also announce when a service recovers. */
  notify_recovery: boolean;
};

export type About = {
  version: string;
  config_file: string;
  data_dir: string;
  /** Bytes the history takes. */
  history_bytes: number;
};

/** Pushed to the window. */
export type Push =
  | { type: 'changed'; head: Head; services: ServiceSummary[]; /** All ids in order when the set or order changed. */ order: string[] | null }
  | { type: 'figures'; figures: Record<string, Figures> }
  /** Show this page: `/`, `/service/ID`, `/incident/ID`, `/settings`. */
  | { type: 'navigate'; to: string }
  /** The config file changed on disk or by this window. */
  | { type: 'config_changed' };

/** Every command: its arguments and its reply. A failed command rejects with a string for people. */
export type Commands = {
  overview: { args: Record<string, never>; reply: Overview };
  figures: { args: Record<string, never>; reply: Record<string, Figures> };
  service: { args: { id: string; range: Range }; reply: ServiceDetail };
  incidents: { args: Record<string, never>; reply: Incidents };
  check_now: { args: { id: string | null }; reply: null };
  /** `minutes` null = until resumed. */
  pause: { args: { id: string | null; minutes: number | null }; reply: null };
  resume: { args: { id: string | null }; reply: null };
  /** `minutes` 0 = unmute. */
  mute: { args: { id: string; minutes: number }; reply: null };
  form_schema: { args: Record<string, never>; reply: FormSchema };
  service_values: { args: { id: string }; reply: ServiceValues };
  /** `original` = the id being edited, null for a new service. */
  review_service: { args: { original: string | null; values: ServiceValues }; reply: Review };
  test_service: { args: { original: string | null; values: ServiceValues }; reply: TestReport };
  /** Saves when the reply is empty. */
  save_service: { args: { original: string | null; values: ServiceValues }; reply: Problem[] };
  remove_service: { args: { id: string }; reply: null };
  reorder_services: { args: { ids: string[] }; reply: null };
  /** Takes back the last edit of the config made by this window. */
  undo_edit: { args: Record<string, never>; reply: null };
  preferences: { args: Record<string, never>; reply: Preferences };
  save_preferences: { args: { preferences: Preferences }; reply: null };
  about: { args: Record<string, never>; reply: About };
  open_config_file: { args: Record<string, never>; reply: null };
  open_data_dir: { args: Record<string, never>; reply: null };
  start_demo: { args: Record<string, never>; reply: null };
  leave_demo: { args: Record<string, never>; reply: null };
};
