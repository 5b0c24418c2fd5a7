import type { Backend } from '../backend';
import type {
  About,
  Bar,
  CheckResult,
  Commands,
  Figures,
  Head,
  Incident,
  Incidents,
  LatencySeries,
  MeasurementSeries,
  Preferences,
  Problem,
  Push,
  Range,
  Review,
  ServiceDetail,
  ServiceSummary,
  ServiceValues,
  Span,
  Status,
  Uptime,
  Value,
} from '../bindings';
import { random } from './random';
import {
  evidenceOf,
  failedPhases,
  goodResult,
  scenario,
  SCENARIOS,
  type Scenario,
  type ScenarioName,
  type Spec,
} from './scenarios';
import { schema } from './schema';

const SECOND = 1000;
const MIN = 60 * SECOND;
const HOUR = 60 * MIN;
const DAY = 24 * HOUR;
const BARS = 60;

type Handlers = {
  [K in keyof Commands]: (args: Commands[K]['args']) => Commands[K]['reply'];
};

type State = { spec: Spec; summary: ServiceSummary };

/** A backend of invented services, for development and tests: `?scenario=outage`, `&still` for no pushes. */
export function createFake(query: URLSearchParams): Backend {
  const wanted = query.get('scenario');
  const name = SCENARIOS.find((s) => s === wanted) ?? 'outage';
  const world = new World(name);
  if (!query.has('still')) setInterval(() => world.tick(), SECOND);
  const handlers = world.handlers();
  const delay = Number(query.get('delay') ?? 30);
  return {
    call: (command, args) =>
      new Promise((resolve, reject) => {
        setTimeout(
          () => {
            try {
              resolve(structuredClone(handlers[command](args)));
            } catch (error) {
              reject(error instanceof Error ? error.message : error);
            }
          },
          delay * (command === 'test_service' ? 20 : 1),
        );
      }),
    listen: (handler) => {
      world.listeners.add(handler);
      return Promise.resolve(() => void world.listeners.delete(handler));
    },
  };
}

class World {
  listeners = new Set<(push: Push) => void>();
  #scenario: Scenario;
  #states: State[];
  #resolved: Incident[] = [];
  #pausedAll: { until: number | null } | null = null;
  #undo: State[] | null = null;
  #preferences: Preferences = {
    theme: 'system',
    start_at_login: false,
    notifications: true,
    notify_recovery: true,
  };
  #started = Date.now();

  constructor(name: ScenarioName) {
    this.#scenario = scenario(name);
    this.#states = this.#scenario.specs.map((spec) => ({ spec, summary: summarize(spec, this.#started) }));
    this.#resolved = this.#past();
  }

  handlers(): Handlers {
    return {
      overview: () => ({ head: this.#head(), services: this.#states.map((s) => s.summary) }),
      figures: () => this.#figures(),
      service: ({ id, range }) => this.#detail(id, range),
      measurements: ({ id, range }) => measurementSeries(this.#state(id).spec, range, Date.now()),
      result: ({ id, at }) => this.#results(id).find((r) => r.at === at) ?? null,
      slowest: ({ id }) => slowest(this.#state(id).spec, this.#started),
      incidents: () => this.#incidents(),
      check_now: ({ id }) => {
        const due = id === null ? this.#states : [this.#state(id)];
        for (const state of due) this.#check(state);
        this.#changed(due);
        return null;
      },
      pause: ({ id, minutes }) => {
        const until = minutes === null ? null : Date.now() + minutes * MIN;
        if (id === null) this.#pausedAll = { until };
        else this.#update(id, { status: 'paused', pause: { until }, since: Date.now() });
        this.#changed([]);
        return null;
      },
      resume: ({ id }) => {
        if (id === null) this.#pausedAll = null;
        else this.#update(id, { status: 'healthy', pause: null, since: Date.now() });
        this.#changed([]);
        return null;
      },
      mute: ({ id, minutes }) => {
        this.#update(id, { muted_until: minutes === 0 ? null : Date.now() + minutes * MIN });
        return null;
      },
      form_schema: () => schema,
      service_values: ({ id }) => this.#state(id).spec.values,
      review_service: ({ original, values }) => this.#review(original, values),
      test_service: ({ original, values }) => {
        const { problems } = this.#review(original, values);
        if (problems.length > 0) return { problems, result: null, unobserved: null };
        return { problems: [], result: testResult(values), unobserved: null };
      },
      save_service: ({ original, values }) => this.#save(original, values),
      remove_service: ({ id }) => {
        this.#undo = [...this.#states];
        this.#states = this.#states.filter((s) => s.summary.id !== id);
        this.#changed([], true);
        return null;
      },
      reorder_services: ({ ids }) => {
        this.#undo = [...this.#states];
        this.#states = ids.map((id) => this.#state(id));
        this.#changed([], true);
        return null;
      },
      undo_edit: () => {
        if (!this.#undo) throw new Error('There is nothing to undo.');
        this.#states = this.#undo;
        this.#undo = null;
        this.#changed(this.#states, true);
        return null;
      },
      preferences: () => this.#preferences,
      save_preferences: ({ preferences }) => {
        this.#preferences = preferences;
        return null;
      },
      about: (): About => ({
        version: '0.1.0',
        config_file: '/home/ada/.config/pilotlight/config.toml',
        data_dir: '/home/ada/.local/share/pilotlight',
        history_bytes: 14_380_000,
      }),
      open_config_file: () => null,
      open_data_dir: () => null,
      start_demo: () => {
        this.#become('demo');
        return null;
      },
      leave_demo: () => {
        this.#become('empty');
        return null;
      },
    };
  }

  /** One second of the world: whoever is due is checked. */
  tick(): void {
    const now = Date.now();
    const due = this.#states.filter((s) => {
      const last = s.summary.bars.at(-1)?.at ?? 0;
      return now - last >= s.summary.every_ms;
    });
    for (const state of due) this.#check(state);
    if (due.length > 0) this.#changed(due);
  }

  #become(name: ScenarioName): void {
    this.#scenario = scenario(name);
    this.#states = this.#scenario.specs.map((spec) => ({ spec, summary: summarize(spec, Date.now()) }));
    this.#resolved = this.#past();
    this.#changed(this.#states, true);
    this.#send({ type: 'figures', figures: this.#figures() });
  }

  #send(push: Push): void {
    for (const listener of this.listeners) listener(structuredClone(push));
  }

  #changed(states: State[], order = false): void {
    this.#send({
      type: 'changed',
      head: this.#head(),
      services: states.map((s) => s.summary),
      order: order ? this.#states.map((s) => s.summary.id) : null,
    });
  }

  #state(id: string): State {
    const found = this.#states.find((s) => s.summary.id === id);
    if (!found) throw new Error(`There is no service \`${id}\`.`);
    return found;
  }

  #update(id: string, part: Partial<ServiceSummary>): void {
    const state = this.#state(id);
    state.summary = { ...state.summary, ...part };
    this.#changed([state]);
  }

  #check(state: State): void {
    const { spec, summary } = state;
    if (summary.status === 'paused') return;
    const status: Status | null =
      summary.status === 'unknown' ? (this.#scenario.offline ? null : 'healthy') : summary.status;
    const ms = status === null ? null : latency(spec, Math.random);
    state.summary = {
      ...summary,
      status: status ?? 'unknown',
      response_time_ms: spec.answers === false ? null : ms,
      bars: [...summary.bars, { at: Date.now(), status, ms }].slice(-BARS),
    };
  }

  #head(): Head {
    const incidents = this.#active();
    const roots = incidents.filter((i) => i.caused_by === null);
    const down = incidents.length;
    const total = this.#states.length;
    const slow = this.#states.filter((s) => s.summary.status === 'degraded');
    const other = total - down;
    const head: Head = {
      at: Date.now(),
      overall: 'healthy',
      root_causes: roots.length,
      headline: `All ${total} services are healthy`,
      detail: 'checked 12 s ago',
      incidents,
      pause: this.#pausedAll,
      banners: this.#scenario.banners,
      demo: this.#scenario.demo,
    };
    const [root] = roots;
    if (this.#pausedAll) {
      return { ...head, overall: 'paused', headline: 'Checking is paused', detail: 'nothing is observed' };
    }
    if (this.#scenario.offline) {
      return {
        ...head,
        overall: 'offline',
        headline: 'This computer is offline',
        detail: `last observed 6 min ago, when all ${total} services were healthy`,
      };
    }
    if (root && roots.length === 1) {
      const affected = root.affected.length;
      return {
        ...head,
        overall: 'unhealthy',
        headline: `${root.service_name} is down${affected > 0 ? `, ${affected} ${affected === 1 ? 'service' : 'services'} affected` : ''}`,
        detail: `the other ${other} services are healthy`,
      };
    }
    if (root) {
      return {
        ...head,
        overall: 'unhealthy',
        headline: `${roots.map((r) => r.service_name).join(' and ')} are down, ${down - roots.length} services affected`,
        detail: `the other ${other} services are healthy`,
      };
    }
    const [first] = slow;
    if (first) {
      return {
        ...head,
        overall: 'degraded',
        headline: `${first.summary.name} is slow${slow.length > 1 ? ` and ${slow.length - 1} more` : ''}`,
        detail: `the other ${total - slow.length} services are healthy`,
      };
    }
    if (total === 0) {
      return { ...head, overall: 'unknown', headline: 'No services yet', detail: '' };
    }
    if (this.#states.every((s) => s.summary.status === 'unknown')) {
      return { ...head, overall: 'unknown', headline: 'Waiting for the first results', detail: '' };
    }
    return head;
  }

  #active(): Incident[] {
    const down = this.#states.filter((s) => s.summary.status === 'unhealthy');
    return down
      .map(({ spec, summary }, index) => {
        const started = summary.since ?? this.#started;
        const lag = summary.caused_by ? 1000 + index * 400 : 0;
        return {
          id: 100 + this.#scenario.specs.indexOf(spec),
          service: summary.id,
          service_name: summary.name,
          started_at: started + lag,
          detected_at: started + 10 * SECOND + lag,
          resolved_at: null,
          checks_failed: 3 + Math.floor((Date.now() - started) / summary.every_ms),
          caused_by: summary.caused_by,
          affected: down.filter((s) => s.summary.caused_by === summary.id).map((s) => s.summary.id),
          first_failure: failure(spec, started + lag),
          last_good: goodResult(spec, started - summary.every_ms, Math.max(1, Math.round(spec.usualMs))),
        };
      })
      .sort((a, b) => Number(a.caused_by !== null) - Number(b.caused_by !== null));
  }

  #past(): Incident[] {
    const now = this.#started;
    const past: [string, number, number, string, string | null][] = [
      ['cdn', 9 * HOUR, 2 * MIN + 8 * SECOND, 'timed out after 10 s, waiting for the response', null],
      ['postgres', 31 * DAY + 5 * HOUR, 7 * MIN + 40 * SECOND, 'connection refused (10.0.4.12:5432)', null],
      ['api', 31 * DAY + 5 * HOUR - 2000, 7 * MIN + 31 * SECOND, '503 Service Unavailable', 'postgres'],
      ['api', 10 * DAY + 4 * HOUR, 11 * MIN, 'certificate expired', null],
      ['api', 24 * DAY, 2 * MIN, 'timed out after 10 s, waiting for the response', null],
      ['redis', 30 * HOUR, 55 * SECOND, 'connection reset by peer', null],
      ['elasticsearch', 32 * HOUR, 3 * HOUR + 20 * MIN, '$.status was "red", expected "green"', null],
    ];
    return past.flatMap(([service, ago, took, message, cause], index) => {
      const spec = this.#scenario.specs.find((s) => s.values.id === service);
      if (!spec) return [];
      const started = now - ago;
      return {
        id: 1 + index,
        service,
        service_name: String(spec.values.name),
        started_at: started,
        detected_at: started + 10 * SECOND,
        resolved_at: started + took,
        checks_failed: Math.round(took / spec.everyMs) + 2,
        caused_by: cause,
        affected: service === 'postgres' ? ['api'] : [],
        first_failure: { ...failure(spec, started), message },
        last_good: goodResult(spec, started - spec.everyMs, Math.round(spec.usualMs)),
      };
    });
  }

  #incidents(): Incidents {
    const resolved = [...this.#resolved].sort((a, b) => b.started_at - a.started_at);
    return { active: this.#active(), resolved };
  }

  #figures(): Record<string, Figures> {
    return Object.fromEntries(
      this.#states.map(({ spec, summary }) => [
        summary.id,
        spec.availability === undefined
          ? { p95_ms: null, availability_30d: null }
          : { p95_ms: Math.max(1, Math.round(spec.usualMs * 1.8)), availability_30d: spec.availability },
      ]),
    );
  }

  #detail(id: string, range: Range): ServiceDetail {
    const { spec, summary } = this.#state(id);
    const all = this.#incidents();
    const quiet = spec.availability === undefined;
    const dependants = (of: string): string[] =>
      this.#states.filter((s) => s.summary.depends_on.includes(of)).map((s) => s.summary.id);
    const affected = new Set<string>();
    const visit = (of: string) => {
      for (const next of dependants(of)) {
        if (affected.has(next)) continue;
        affected.add(next);
        visit(next);
      }
    };
    visit(id);
    return {
      id,
      latency: latencySeries(spec, range, Date.now()),
      uptime: (['24h', '7d', '30d'] as const).map((period) => uptime(spec, period)),
      slo_pct: 99.9,
      days: quiet ? [] : days(spec, Date.now()),
      results: this.#results(id)
        .slice(0, 20)
        .map((result) => ({ ...result, evidence: undefined })),
      incidents: [...all.active, ...all.resolved].filter((i) => i.service === id),
      depends_on: summary.depends_on,
      affected_by: [...affected],
    };
  }

  #results(id: string): CheckResult[] {
    const { spec, summary } = this.#state(id);
    return [...summary.bars].reverse().flatMap((bar) =>
      bar.status === null
        ? []
        : bar.status === 'unhealthy'
          ? failure(spec, bar.at)
          : {
              ...goodResult(spec, bar.at, bar.ms ?? 1),
              status: bar.status,
              ...(bar.status === 'degraded' ? { message: 'slower than 200 ms' } : {}),
            },
    );
  }

  #review(original: string | null, values: ServiceValues): Review {
    const problems: Problem[] = [];
    const kind = schema.kinds.find((k) => k.id === values.check);
    const fields = [...schema.identity, ...schema.timing, ...(kind?.fields ?? [])];
    if (!kind) problems.push({ field: 'check', message: 'Not a kind of check.', help: 'Choose one.' });
    for (const { key, label, required, value } of fields) {
      const given = values[key];
      if (given === undefined) {
        if (required)
          problems.push({ field: key, message: `${label} is missing.`, help: 'Write what to check.' });
        continue;
      }
      if (value.type === 'duration' && !/^\d+(\.\d+)?(ms|s|m|h)$/.test(String(given))) {
        problems.push({
          field: key,
          message: 'Not a duration.',
          help: 'Write a number and a unit: 500ms, 10s, 3m.',
        });
      }
      if (value.type === 'url' && !/^https?:\/\/./.test(String(given))) {
        problems.push({ field: key, message: 'Not an address.', help: 'Begin with https:// or http://.' });
      }
      if (value.type === 'integer' && !(Number(given) >= value.min && Number(given) <= value.max)) {
        problems.push({
          field: key,
          message: 'Out of range.',
          help: `Write a number from ${value.min} to ${value.max}.`,
        });
      }
    }
    const id = String(values.id ?? '');
    if (!/^[a-z0-9-]+$/.test(id)) {
      problems.push({
        field: 'id',
        message: 'Not an id.',
        help: 'Use small letters, digits and hyphens: api-gateway.',
      });
    } else if (id !== original && this.#states.some((s) => s.summary.id === id)) {
      problems.push({
        field: 'id',
        message: 'Another service has this id.',
        help: `Write another one: ${id}-2.`,
      });
    }
    const preset = schema.presets.find((p) => p.id === values.preset);
    const tier = schema.tiers.find((t) => t.id === (values.tier ?? 'supporting'));
    const degraded = text(values.degraded_above) || preset?.degraded_above || '2s';
    const unhealthy = text(values.unhealthy_above) || preset?.unhealthy_above || '';
    const timeout = text(values.timeout) || preset?.timeout || '5s';
    const every = text(values.every) || tier?.every || '30s';
    const retry = text(values.retry_every) || '5s';
    const failAfter = Number(values.fail_after ?? 3);
    return {
      problems,
      thresholds: [
        `degraded above ${spaced(degraded)}`,
        ...(unhealthy ? [`unhealthy above ${spaced(unhealthy)}`] : []),
        `timeout ${spaced(timeout)}`,
      ].join(' · '),
      cadence: `checked every ${spaced(every)}, down after ${failAfter} failures in a row, confirmed every ${spaced(retry)}: known about ${(failAfter - 1) * 5} s after the first`,
      warnings:
        values.preset === 'external-api' && every !== '3m'
          ? ['An external API asked more often than every 2 min may limit you.']
          : [],
    };
  }

  #save(original: string | null, values: ServiceValues): Problem[] {
    const { problems } = this.#review(original, values);
    if (problems.length > 0) return problems;
    this.#undo = [...this.#states];
    const tier = schema.tiers.find((t) => t.id === values.tier)?.every ?? '30s';
    const spec: Spec = {
      values,
      target: text(values.url) || `${text(values.host)}:${text(values.port)}`,
      status: 'unknown',
      forMs: 0,
      usualMs: 40,
      everyMs: millis(text(values.every) || tier),
      good: '200 OK',
    };
    if (original === null) {
      const state = { spec, summary: summarize(spec, Date.now()) };
      this.#states = [...this.#states, state];
      this.#changed([state], true);
    } else {
      const state = this.#state(original);
      const fresh = summarize({ ...state.spec, values }, Date.now());
      const next = {
        spec: { ...state.spec, values, target: spec.target },
        summary: { ...fresh, target: spec.target, bars: state.summary.bars },
      };
      this.#states = this.#states.map((s) => (s === state ? next : s));
      this.#changed([next], true);
    }
    this.#send({ type: 'config_changed' });
    return [];
  }
}

function text(value: Value | undefined): string {
  return value === undefined ? '' : String(value);
}

function spaced(duration: string): string {
  return duration.replace(/(\d)(ms|s|m|h)$/, (_, n: string, unit: string) =>
    unit === 'm' ? `${n} min` : `${n} ${unit}`,
  );
}

function millis(duration: string): number {
  const [, n = '30', unit = 's'] = /^(\d+)(ms|s|m|h)$/.exec(duration) ?? [];
  return Number(n) * { ms: 1, s: SECOND, m: MIN, h: HOUR }[unit as 'ms' | 's' | 'm' | 'h'];
}

function latency(spec: Spec, next: () => number): number {
  return Math.max(1, Math.round(spec.usualMs * (0.85 + next() * 0.3)));
}

function summarize(spec: Spec, now: number): ServiceSummary {
  const next = random(String(spec.values.id));
  const quiet = spec.status === 'unknown' && spec.marks === undefined;
  const bars: Bar[] = quiet
    ? []
    : Array.from({ length: BARS }, (_, index) => {
        const fromEnd = BARS - 1 - index;
        const at = now - fromEnd * spec.everyMs - Math.floor(next() * 1000);
        let status: Status | null = 'healthy';
        if (spec.marks?.degraded?.includes(fromEnd)) status = 'degraded';
        if (spec.marks?.unhealthy?.includes(fromEnd)) status = 'unhealthy';
        if (spec.marks?.unobserved?.includes(fromEnd)) status = null;
        if (spec.status === 'unhealthy' && fromEnd * spec.everyMs < Math.min(spec.forMs, 4 * spec.everyMs)) {
          status = 'unhealthy';
        }
        const ms = status === null || (status === 'unhealthy' && !spec.answers) ? null : latency(spec, next);
        return { at, status, ms };
      });
  const shown = spec.status !== 'unknown' && spec.status !== 'paused' && spec.answers !== false;
  const { id, name, group, check, depends_on } = spec.values;
  return {
    id: String(id),
    name: String(name),
    group: group ? String(group) : null,
    kind: String(check),
    target: spec.target,
    status: spec.status,
    since: quiet ? null : now - spec.forMs,
    message: spec.message ?? (spec.status === 'healthy' ? (spec.good ?? '') : ''),
    response_time_ms: shown ? latency(spec, next) : null,
    caused_by: spec.causedBy ?? null,
    flapping: spec.flapping ?? false,
    pause:
      spec.status === 'paused'
        ? { until: spec.pausedUntilHour ? now + spec.pausedUntilHour * HOUR : null }
        : null,
    muted_until: null,
    bars,
    every_ms: spec.everyMs,
    depends_on: Array.isArray(depends_on) ? depends_on.map(String) : [],
  };
}

function failure(spec: Spec, at: number): CheckResult {
  const good = goodResult(spec, at, Math.round(spec.usualMs));
  const { address } = good.metadata;
  const answers = spec.answers === true;
  const phases = failedPhases(spec, at);
  return {
    at,
    status: 'unhealthy',
    response_time_ms: answers ? good.response_time_ms : null,
    message: spec.message ?? 'timed out after 10 s, waiting for the response',
    metadata: answers
      ? { ...good.metadata, ...(good.metadata.status ? { status: '503' } : {}) }
      : { ...(address ? { address } : {}) },
    ...(phases ? { phases } : {}),
    evidence: answers ? evidenceOf(spec, at) : { addresses: evidenceOf(spec, at).addresses ?? [] },
  };
}

const RANGE_MS: Record<Range, number> = {
  '1h': HOUR,
  '24h': DAY,
  '7d': 7 * DAY,
  '30d': 30 * DAY,
  '1y': 365 * DAY,
};

function latencySeries(spec: Spec, range: Range, now: number): LatencySeries {
  const length = RANGE_MS[range];
  const n = 144;
  const from = now - length;
  const next = random(`${String(spec.values.id)}${range}`);
  const spans: Span[] = [];
  if (spec.availability === undefined) return { from, to: now, points: [], spans };
  const asleep: [number, number] = [from + length * 0.17, from + length * 0.275];
  const out: [number, number] = [from + length * 0.742, from + length * 0.8];
  spans.push({ from: asleep[0], to: asleep[1], what: 'unobserved' });
  spans.push({ from: out[0], to: out[1], what: 'unhealthy' });
  if (spec.status === 'unhealthy' && range !== '1y')
    spans.push({ from: now - spec.forMs, to: now, what: 'unhealthy' });
  const points = Array.from({ length: n }, (_, i) => {
    const at = from + ((i + 0.5) / n) * length;
    if (at > asleep[0] && at < asleep[1]) return { at, p50_ms: null, p95_ms: null, max_ms: null };
    const peak = 1 + 3.6 * Math.exp(-(((i - 110.5) / 2.6) ** 2));
    const p50 = spec.usualMs * (0.95 + 0.18 * Math.sin(i / 17) + next() * 0.09) * peak;
    const p95 = p50 * (1.38 + next() * 0.28);
    return { at, p50_ms: p50, p95_ms: p95, max_ms: p95 * (1.15 + next() * 0.4) };
  });
  return { from, to: now, points, spans };
}

function measurementSeries(spec: Spec, range: Range, now: number): MeasurementSeries[] {
  const length = RANGE_MS[range];
  const n = 144;
  const from = now - length;
  return (spec.measures ?? []).map(({ name, value, unit = '', degraded_at, unhealthy_at }) => {
    const next = random(`${name}${range}`);
    const points = Array.from({ length: n }, (_, i) => {
      const grown = unit === 'c' ? 0.8 + (0.2 * i) / n : 1 + 0.12 * Math.sin(i / 13) - (0.1 * (n - i)) / n;
      const mean = value * (grown + next() * 0.03);
      const spread = unit === 'c' ? 0 : value * (0.02 + next() * 0.05);
      return { at: from + (i * length) / n, mean, min: mean - spread, max: mean + spread };
    }).filter((_, i) => i < 24 || i > 39);
    return { name, unit, degraded_at: degraded_at ?? null, unhealthy_at: unhealthy_at ?? null, points };
  });
}

function slowest(spec: Spec, now: number): CheckResult[] {
  if (spec.availability === undefined) return [];
  const next = random(`slowest${String(spec.values.id)}`);
  const hour = Math.floor(now / HOUR) * HOUR;
  return Array.from({ length: 24 }, (_, i) => {
    const at = Math.min(now, hour - i * HOUR + Math.floor(next() * 50 * MIN));
    const factor = 1.6 + next() * 1.2 + (i === 6 ? 7 : 0);
    const result = goodResult(spec, at, Math.round(spec.usualMs * factor));
    return i === 6 ? { ...result, status: 'degraded' as const, message: 'slower than 200 ms' } : result;
  }).filter((result, i) => result.phases && i !== 17 && i !== 18);
}

function uptime(spec: Spec, period: Uptime['period']): Uptime {
  const length = { '24h': DAY, '7d': 7 * DAY, '30d': 30 * DAY }[period];
  const checks = Math.round(length / spec.everyMs);
  if (spec.availability === undefined) {
    return {
      period,
      availability_pct: null,
      uptime_pct: null,
      observed_ms: 0,
      downtime_ms: 0,
      error_budget_left_pct: null,
      burn_rate: null,
      total_checks: 0,
      healthy: 0,
      degraded: 0,
      unhealthy: 0,
      p50_ms: null,
      p95_ms: null,
      p99_ms: null,
    };
  }
  const share = period === '30d' ? 1 : period === '7d' ? 0.5 : spec.status === 'unhealthy' ? 4 : 0;
  const availability = 100 - (100 - spec.availability) * share;
  const unhealthy = Math.round((checks * (100 - availability)) / 100);
  const degraded = Math.round(checks * 0.0004);
  return {
    period,
    availability_pct: availability,
    uptime_pct: (100 * (checks - unhealthy - degraded)) / checks,
    observed_ms: length * 0.94,
    downtime_ms: (length * (100 - availability)) / 100,
    error_budget_left_pct: 100 - ((100 - availability) / 0.1) * 100,
    burn_rate: (100 - availability) / 0.1,
    total_checks: checks,
    healthy: checks - unhealthy - degraded,
    degraded,
    unhealthy,
    p50_ms: spec.usualMs,
    p95_ms: spec.usualMs * 1.9,
    p99_ms: spec.usualMs * 3.2,
  };
}

function days(spec: Spec, now: number): ServiceDetail['days'] {
  const next = random(`days${String(spec.values.id)}`);
  const midnight = new Date(now);
  midnight.setHours(12, 0, 0, 0);
  return Array.from({ length: 30 }, (_, index) => {
    const at = new Date(midnight.getTime() - index * DAY);
    const date = `${at.getFullYear()}-${String(at.getMonth() + 1).padStart(2, '0')}-${String(at.getDate()).padStart(2, '0')}`;
    if (index > 25) {
      return {
        date,
        uptime_pct: null,
        availability_pct: null,
        avg_response_ms: null,
        p95_response_ms: null,
        downtime_ms: 0,
        checks: 0,
      };
    }
    const bad = (index === 0 && spec.status === 'unhealthy') || next() < 0.08;
    const wobbly = next() < 0.08;
    const lost = bad ? 0.2 + next() : 0;
    return {
      date,
      uptime_pct: 100 - lost - (wobbly ? 0.4 : 0),
      availability_pct: 100 - lost,
      avg_response_ms: spec.usualMs * (1 + next() * 0.3),
      p95_response_ms: spec.usualMs * (1.6 + next() * 0.6),
      downtime_ms: (DAY * lost) / 100,
      checks: Math.round(DAY / spec.everyMs),
    };
  });
}

function testResult(values: ServiceValues): CheckResult {
  const spec: Spec = {
    values,
    target: '',
    status: 'healthy',
    forMs: 0,
    usualMs: 43,
    everyMs: 15_000,
    good: values.check === 'http' ? '200 OK · $.status = "ok"' : 'connected',
    metadata: { address: '203.0.113.24:443', protocol: 'HTTP/2', certificate_days: '61' },
  };
  if (/fail|refused/.test(JSON.stringify(values))) {
    return { ...failure(spec, Date.now()), message: 'connection refused (203.0.113.24:443)' };
  }
  return goodResult(spec, Date.now(), 43);
}
