import type {
  Banner,
  CheckResult,
  Evidence,
  Measurement,
  Phases,
  ServiceStatus,
  ServiceValues,
} from '../bindings';
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
  /** What its checks measure, as it usually is. */
  measures?: Measurement[];
  /** Which shares of the time the phases take. */
  shares?: Phases;
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
const DAY = 24 * HOUR;
const MIB = 1024 ** 2;
const GIB = 1024 ** 3;
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

function exec(id: string, name: string, group: string, command: string[], more: Partial<Spec> = {}): Spec {
  return {
    values: {
      id,
      name,
      group,
      check: 'exec',
      command,
      environment: { LC_ALL: 'C' },
      tier: 'supporting',
    },
    target: command[0] ?? '',
    status: 'healthy',
    forMs: 9 * HOUR,
    usualMs: 100,
    everyMs: 30_000,
    ...more,
  };
}

function push(id: string, name: string, group: string, more: Partial<Spec> = {}): Spec {
  return {
    values: { id, name, group, check: 'push', token: 'keyring:backup-token', every: '24h' },
    target: 'reports in',
    status: 'healthy',
    forMs: 26 * HOUR,
    usualMs: 0,
    everyMs: 24 * HOUR,
    good: 'reported: 14 files changed',
    ...more,
  };
}

function dns(id: string, name: string, group: string, host: string, more: Partial<Spec> = {}): Spec {
  return {
    values: {
      id,
      name,
      group,
      check: 'dns',
      host,
      record: 'A',
      expect_values: ['203.0.113.24', '203.0.113.25'],
      tier: 'external',
    },
    target: host,
    status: 'healthy',
    forMs: 50 * HOUR,
    usualMs: 12,
    everyMs: 180_000,
    good: '203.0.113.24, 203.0.113.25',
    shares: { send: 0.02, wait: 0.98 },
    ...more,
  };
}

function house(): Spec[] {
  const asleep = [30, 31, 32, 33, 34, 35, 36, 37, 38, 39];
  const specs = [
    tcp('postgres', 'PostgreSQL', 'Data', '10.0.4.12', 5432, {
      availability: 99.9624,
      marks: { degraded: [59] },
      metadata: { address: '10.0.4.12:5432', server: 'PostgreSQL 16.4' },
      shares: { dns: 0.2, connect: 0.3, wait: 0.5 },
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
        address: '203.0.113.24:443',
        protocol: 'HTTP/2',
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
    exec('host', 'Build host', 'Home', ['/usr/lib/nagios/plugins/check_host', '-w', '80', '-c', '90'], {
      usualMs: 120,
      availability: 99.9912,
      marks: { degraded: [12, 13] },
      good: 'DISK OK, LOAD OK',
      metadata: { exit_status: '0' },
      measures: [
        { name: '/', value: 71, unit: '%', degraded_at: 80, unhealthy_at: 90 },
        { name: '/var/lib/docker', value: 84, unit: '%', degraded_at: 80, unhealthy_at: 90 },
        { name: 'load1', value: 1.42, degraded_at: 4, unhealthy_at: 8 },
        { name: 'memory', value: 11.6 * GIB, unit: 'B' },
        { name: 'sync', value: 0.038, unit: 's', unhealthy_at: 0.2 },
        { name: 'packets', value: 184_220, unit: 'c' },
        { name: 'users', value: 3 },
        { name: 'swap', value: 212 * MIB, unit: 'B', degraded_at: 512 * MIB },
      ],
    }),
    dns('names', 'Public names', 'Home', 'www.example.com', { availability: 99.9995 }),
    push('backup', 'Nightly backup', 'Home', { usualMs: 0, availability: 100 }),
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

const HTTP_SHARES: Phases = { dns: 0.05, connect: 0.1, tls: 0.35, send: 0.01, wait: 0.46, receive: 0.03 };
const TCP_SHARES: Phases = { dns: 0.3, connect: 0.7 };

function phasesOf(spec: Spec, total: number, seed: string): Phases | undefined {
  const next = random(seed);
  const { check } = spec.values;
  const shares = spec.shares ?? (check === 'http' ? HTTP_SHARES : check === 'tcp' ? TCP_SHARES : undefined);
  if (!shares) return undefined;
  const varied = Object.entries(shares).map(
    ([phase, share]) => [phase, share * (0.8 + next() * 0.4)] as const,
  );
  const whole = varied.reduce((sum, [, share]) => sum + share, 0);
  return Object.fromEntries(varied.map(([phase, share]) => [phase, (total * share) / whole]));
}

function measured(spec: Spec, seed: string): Measurement[] | undefined {
  const next = random(seed);
  return spec.measures?.map((m) => ({ ...m, value: m.value * (0.98 + next() * 0.04) }));
}

export function goodResult(spec: Spec, at: number, ms: number): CheckResult {
  const phases = phasesOf(spec, ms, String(at));
  const measurements = measured(spec, String(at));
  return {
    at,
    status: 'healthy',
    response_time_ms: ms,
    message: spec.good ?? 'ok',
    metadata: { ...spec.metadata },
    ...(phases ? { phases } : {}),
    ...(measurements ? { measurements } : {}),
  };
}

const BODY = `<!doctype html>
<html>
  <head><title>503 Service Temporarily Unavailable</title></head>
  <body>
    <center><h1>503 Service Temporarily Unavailable</h1></center>
    <hr><center>nginx/1.27.2</center>
    <script>document.title = 'this must stay text'</script>
    <!-- upstream: user.internal:8080, connect() failed (111: Connection refused) while connecting to upstream -->
  </body>
</html>
`;

/** What a failed check saw: of HTTP everything, of others the addresses. */
export function evidenceOf(spec: Spec, at: number): Evidence {
  const address = spec.metadata?.address?.replace(/:\d+$/, '');
  if (spec.values.check !== 'http') return address ? { addresses: [address] } : {};
  return {
    body: BODY,
    headers: [
      ['server', 'nginx/1.27.2'],
      ['date', new Date(at).toUTCString()],
      ['content-type', 'text/html; charset=utf-8'],
      ['content-length', String(BODY.length)],
      ['retry-after', '30'],
      ['set-cookie', '…'],
      ['x-request-id', '8f0c1d6e2b7a4f539a1d0c7e55b2f6a9'],
    ],
    ...(spec.target.startsWith('https:')
      ? {
          certificates: [
            {
              subject: 'CN=api.example.com',
              issuer: 'C=US, O=Example Trust, CN=Example R11',
              not_before: Math.floor((at - 81 * DAY) / 1000),
              not_after: Math.floor((at + 9 * DAY) / 1000),
            },
            {
              subject: 'C=US, O=Example Trust, CN=Example R11',
              issuer: 'C=US, O=Example Trust, CN=Example Root X1',
              not_before: Math.floor((at - 900 * DAY) / 1000),
              not_after: Math.floor((at + 700 * DAY) / 1000),
            },
          ],
        }
      : {}),
    ...(address ? { addresses: [address, '203.0.113.25', '2001:db8::24'] } : {}),
  };
}

/** As it went until it failed: a server that answers went through all, another was never connected to. */
export function failedPhases(spec: Spec, at: number): Phases | undefined {
  if (spec.answers) return phasesOf(spec, spec.usualMs * 1.6, String(at));
  const { dns } = phasesOf(spec, Math.max(1, spec.usualMs), String(at)) ?? {};
  return { ...(dns === undefined ? {} : { dns }), connect: spec.usualMs * 1.4 };
}
