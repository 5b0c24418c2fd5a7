import type { Banner, CheckResult, ServiceStatus, ServiceValues } from '../bindings';
import { random } from './random';

export const SCENARIOS = ['outage', 'healthy', 'degraded', 'empty', 'many', 'demo', 'offline'] as const;
export type ScenarioName = (typeof SCENARIOS)[number];

export type Spec = {
  values: ServiceValues;
  target: string;
  status: ServiceStatus;
  /** How long the status has lasted. */
  forMs: number;
  /** What a usual answer takes. */
  usualMs: number;
  everyMs: number;
  message?: string;
  good?: string;
  causedBy?: string;
  availability?: number;
  /** Bars of a status, counted from the newest: { degraded: [3, 4] }. */
  marks?: { degraded?: number[]; unhealthy?: number[]; unobserved?: number[] };
  flapping?: boolean;
  pausedUntilHour?: number;
  metadata?: Record<string, string>;
  answers?: boolean;
};

export type Scenario = {
  specs: Spec[];
  banners: Banner[];
  demo: boolean;
  offline: boolean;
  /** How long the outage has lasted. */
  outageMs: number;
};

const MIN = 60_000;
const HOUR = 60 * MIN;
const OUTAGE = 4 * MIN + 12_000;

function http(id: string, name: string, group: string, url: string, more: Partial<Spec> = {}): Spec {
  return {
    values: { id, name, group, check: 'http', url, preset: 'internal-http', tier: 'critical' },
    target: url,
    status: 'healthy',
    forMs: 3 * HOUR + 41 * MIN,
    usualMs: 40,
    everyMs: 15_000,
    good: '200 OK',
    ...more,
  };
}

function tcp(
  id: string,
  name: string,
  group: string,
  host: string,
  port: number,
  more: Partial<Spec> = {},
): Spec {
  return {
    values: { id, name, group, check: 'tcp', host, port, preset: 'database', tier: 'critical' },
    target: `${host}:${port}`,
    status: 'healthy',
    forMs: 26 * HOUR,
    usualMs: 3,
    everyMs: 15_000,
    good: 'connected',
    ...more,
  };
}

function house(): Spec[] {
  const asleep = [30, 31, 32, 33, 34, 35, 36, 37, 38, 39];
  const specs = [
    tcp('postgres', 'PostgreSQL', 'Data', '10.0.4.12', 5432, {
      availability: 99.9624,
      marks: { degraded: [59] },
      metadata: { address: '10.0.4.12', dns_ms: '1', connect_ms: '2', server: 'PostgreSQL 16.4' },
      good: 'logged in',
    }),
    tcp('redis', 'Redis', 'Data', 'redis.internal', 6379, {
      usualMs: 1,
      availability: 100,
      marks: { degraded: [10] },
      good: 'PONG',
    }),
    http('elasticsearch', 'Elasticsearch', 'Data', 'http://search.internal:9200/_cluster/health', {
      usualMs: 96,
      availability: 99.8713,
      marks: { degraded: [57, 10] },
    }),
    tcp('rabbitmq', 'RabbitMQ', 'Data', 'mq.internal', 5672, { usualMs: 6, availability: 99.9983 }),
    http('user', 'user-service', 'Backend', 'http://user.internal:8080/health', {
      usualMs: 22,
      availability: 99.9472,
    }),
    http('product', 'product-service', 'Backend', 'http://product.internal:8080/health', {
      usualMs: 31,
      availability: 99.9511,
      marks: { degraded: [24] },
    }),
    http('auth', 'auth-service', 'Backend', 'http://auth.internal:8080/health', {
      usualMs: 18,
      availability: 99.9482,
    }),
    http('api', 'API Gateway', 'Edge', 'https://api.example.com/health', {
      usualMs: 41,
      availability: 99.9412,
      marks: { degraded: [47, 48] },
      metadata: {
        address: '203.0.113.24',
        dns_ms: '2',
        connect_ms: '4',
        tls_ms: '17',
        wait_ms: '19',
        receive_ms: '1',
        status: '200',
        certificate_days: '61',
      },
    }),
    http('web', 'Web Frontend', 'Edge', 'https://www.example.com/', {
      usualMs: 64,
      availability: 99.9383,
      marks: { degraded: [38] },
    }),
    http('cdn', 'CDN', 'Edge', 'https://cdn.example.com/probe.txt', {
      usualMs: 21,
      availability: 99.9991,
      marks: { unobserved: asleep },
      metadata: { certificate_days: '12' },
    }),
    http('nas', 'NAS', 'Home', 'http://nas.local:5000/', {
      status: 'paused',
      forMs: 40 * MIN,
      usualMs: 9,
      availability: 99.2104,
      pausedUntilHour: 1,
      marks: { degraded: [24], unobserved: asleep },
    }),
    tcp('printer', 'Printer', 'Home', 'printer.local', 9100, { status: 'unknown', availability: undefined }),
  ];
  const needs: Record<string, string[]> = {
    user: ['postgres', 'redis'],
    product: ['postgres', 'elasticsearch'],
    auth: ['postgres', 'redis'],
    api: ['user', 'product', 'auth'],
    web: ['api'],
  };
  for (const spec of specs) {
    const on = needs[String(spec.values.id)];
    if (on) spec.values.depends_on = on;
  }
  const api = specs.find((s) => s.values.id === 'api');
  if (api) {
    api.values.expect_status = ['200-299'];
    api.values.expect_json = [{ path: '$.status', equals: 'ok' }];
    api.values.headers = { Authorization: 'keyring:api-token' };
  }
  return specs;
}

function change(specs: Spec[], id: string, more: Partial<Spec>): void {
  const spec = specs.find((s) => s.values.id === id);
  if (spec) Object.assign(spec, more);
}

function outage(specs: Spec[]): void {
  const down = { status: 'unhealthy', forMs: OUTAGE } as const;
  change(specs, 'postgres', { ...down, message: 'connection refused (10.0.4.12:5432)', answers: false });
  for (const id of ['user', 'product', 'auth']) {
    change(specs, id, { ...down, causedBy: 'postgres', message: '503 Service Unavailable', answers: true });
  }
  change(specs, 'api', { ...down, causedBy: 'postgres', message: '503 Service Unavailable', answers: true });
  change(specs, 'web', { ...down, causedBy: 'postgres', message: 'expected text not found', answers: true });
  slow(specs);
}

function slow(specs: Spec[]): void {
  change(specs, 'elasticsearch', {
    status: 'degraded',
    forMs: 2 * MIN,
    message: 'slower than 200 ms for 2 min',
    usualMs: 380,
    marks: { degraded: [57, 10, 8, 6, 5, 4, 3, 2, 1] },
  });
}

function crowd(): Spec[] {
  const next = random('crowd');
  const places = ['Berlin', 'Oslo', 'Lisbon', 'Dublin', 'Tokyo', 'Lima', 'Cairo', 'Perth', 'Quito', 'Accra'];
  const groups = [...places, 'Warehouse and logistics', 'Public websites'];
  const jobs = [
    'gateway',
    'ledger',
    'search',
    'mailer',
    'images',
    'payments',
    'sessions',
    'reports',
    'queue',
  ];
  const specs: Spec[] = [];
  for (let i = 0; i < 200; i += 1) {
    const group = groups[Math.floor((i * groups.length) / 200)] ?? 'Other';
    const job = `${jobs[i % jobs.length]}-${(i % 17) + 1}`;
    const id = `${group.split(' ')[0]?.toLowerCase()}-${job}-${i}`;
    const spec =
      i % 3 === 0
        ? tcp(id, job, group, `${job}.internal`, 5000 + i, { usualMs: 1 + next() * 20 })
        : http(id, job, group, `https://${job}.example.com/health`, { usualMs: 10 + next() * 300 });
    spec.availability = next() < 0.3 ? 100 : 100 - next() * next() * 0.4;
    spec.marks = { degraded: [Math.floor(next() * 300)], unhealthy: [Math.floor(next() * 600)] };
    if (i === 21) {
      Object.assign(spec, {
        status: 'unhealthy',
        forMs: 11 * MIN,
        message: 'timed out after 5 s, waiting for the response',
        answers: false,
      });
    }
    if (i === 22 || i === 23) {
      Object.assign(spec, {
        status: 'unhealthy',
        forMs: 10 * MIN,
        causedBy: String(specs[21]?.values.id),
        message: '502 Bad Gateway',
        answers: true,
      });
      spec.values.depends_on = [String(specs[21]?.values.id)];
    }
    if (i === 88) {
      Object.assign(spec, {
        status: 'unhealthy',
        forMs: 90_000,
        message: 'certificate expired on 2 Nov',
        answers: true,
      });
    }
    if (i === 120) Object.assign(spec, { flapping: true });
    if (i % 61 === 60) {
      Object.assign(spec, { status: 'degraded', forMs: 5 * MIN, message: 'slower than 500 ms for 5 min' });
      spec.marks.degraded = [0, 1, 2, 3, 5, 8];
    }
    specs.push(spec);
  }
  return specs;
}

export function scenario(name: ScenarioName): Scenario {
  const plain: Scenario = { specs: [], banners: [], demo: false, offline: false, outageMs: OUTAGE };
  switch (name) {
    case 'empty':
      return plain;
    case 'many':
      return { ...plain, specs: crowd() };
    case 'healthy': {
      const specs = house().filter((s) => s.values.group !== 'Home');
      return { ...plain, specs };
    }
    case 'degraded': {
      const specs = house();
      slow(specs);
      change(specs, 'web', { flapping: true, marks: { unhealthy: [1, 3, 4, 7, 9, 12], degraded: [2] } });
      return {
        ...plain,
        specs,
        banners: [
          {
            kind: 'config',
            title: 'config.toml has a mistake, the last good one is running',
            detail: 'line 42, column 9: unknown key `intervall`, did you mean `every`?',
          },
          {
            kind: 'storage',
            title: 'The history cannot be written',
            detail: 'No space left on device. Checks go on; results since 13:40 are kept in memory.',
          },
        ],
      };
    }
    case 'offline': {
      const specs = house();
      for (const spec of specs) {
        if (spec.status === 'healthy') {
          spec.status = 'unknown';
          spec.forMs = 6 * MIN;
          spec.message = 'not observed: this computer is offline';
          spec.marks = { unobserved: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] };
        }
      }
      return {
        ...plain,
        specs,
        offline: true,
        banners: [
          {
            kind: 'offline',
            title: 'This computer is offline',
            detail: 'Nothing is counted against a service until the network answers again.',
          },
        ],
      };
    }
    case 'demo':
    case 'outage': {
      const specs = house();
      outage(specs);
      const demo = name === 'demo';
      return {
        ...plain,
        specs: demo ? specs.filter((s) => s.values.group !== 'Home') : specs,
        demo,
        banners: demo
          ? [
              {
                kind: 'demo',
                title: 'This is the demo',
                detail: 'Invented services on this computer slow down and fail on a script.',
              },
            ]
          : [],
      };
    }
  }
}

export function phases(total: number, seed: string): Record<string, string> {
  const next = random(seed);
  const shares = { dns_ms: 0.05, connect_ms: 0.1, tls_ms: 0.35, wait_ms: 0.47, receive_ms: 0.03 };
  return Object.fromEntries(
    Object.entries(shares).map(([key, share]) => [
      key,
      (total * share * (0.8 + next() * 0.4)).toFixed(1).replace(/\.0$/, ''),
    ]),
  );
}

export function goodResult(spec: Spec, at: number, ms: number): CheckResult {
  const http = spec.values.check === 'http';
  return {
    at,
    status: 'healthy',
    response_time_ms: ms,
    message: spec.good ?? 'ok',
    metadata: { ...spec.metadata, ...(http ? phases(ms, String(at)) : {}) },
  };
}
