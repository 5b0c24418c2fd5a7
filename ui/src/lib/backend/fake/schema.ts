import type { Field, FieldType, FormSchema, Kind, Section } from '../bindings';

type More = { required?: boolean; default?: string; unit?: string; section?: Section };

function field(key: string, label: string, help: string, value: FieldType, more: More = {}): Field {
  return {
    key,
    label,
    help,
    value,
    required: more.required ?? false,
    default: more.default ?? '',
    unit: more.unit ?? '',
    section: more.section ?? 'target',
  };
}

const text = { type: 'text' } as const;
const secret = { type: 'secret' } as const;
const file = { type: 'file' } as const;
const list = { type: 'list' } as const;
const boolean = { type: 'boolean' } as const;

const host = field('host', 'Host', 'A name or an address.', { type: 'host' }, { required: true });
const port = (standard = '') =>
  field(
    'port',
    'Port',
    'Where it listens.',
    { type: 'integer', min: 1, max: 65535 },
    { required: standard === '', default: standard },
  );

const user = field('username', 'User', 'Who to log in as; empty does not log in.', text, {
  section: 'login',
});
const password = field('password', 'Password', 'Of that user.', secret, { section: 'login' });
const database = field('database', 'Database', 'The one to log in to.', text, { section: 'login' });
const query = field(
  'query',
  'Query',
  'Must return a row; it is rolled back.',
  { type: 'multiline' },
  { section: 'request' },
);
const headers = field(
  'headers',
  'Headers',
  'Sent along. keyring:NAME keeps a secret out of the file.',
  { type: 'headers' },
  { section: 'request' },
);
const expectText = field('expect_text', 'Expected text', 'The answer must contain it.', text, {
  section: 'expect',
});

const ca = field('tls_ca', 'Own CA', 'A PEM file of certificates to trust beside the system’s.', file, {
  section: 'tls',
});
const verify = field('verify_tls', 'Verify', 'The certificate must be valid for the host.', boolean, {
  default: 'true',
  section: 'tls',
});
const certificateDays = field(
  'certificate_days',
  'Degraded below',
  'What the certificate must still last.',
  { type: 'integer', min: 0, max: 365 },
  { default: '14', unit: 'days', section: 'tls' },
);
const tlsMode = field(
  'tls',
  'Encryption',
  'From the start, after asking for it, or none.',
  { type: 'choice', of: ['off', 'starttls', 'tls'] },
  { default: 'off', section: 'tls' },
);
const tls = [tlsMode, verify, certificateDays, ca];

const addresses = field(
  'ip_version',
  'Addresses',
  'Which of the host’s addresses are tried.',
  { type: 'choice', of: ['any', 'ipv4', 'ipv6'] },
  { default: 'any', section: 'advanced' },
);

const percent = (key: string, label: string, help: string, standard: string) =>
  field(
    key,
    label,
    help,
    { type: 'integer', min: 0, max: 100 },
    { unit: '%', default: standard, section: 'expect' },
  );

function kind(id: string, label: string, help: string, ...fields: Field[]): Kind {
  return { id, label, help, fields };
}

const kinds: Kind[] = [
  kind(
    'http',
    'HTTP',
    'Asks for a page and looks at the answer.',
    field(
      'url',
      'URL',
      'The address that is asked for.',
      { type: 'url', schemes: ['http', 'https'] },
      { required: true },
    ),
    user,
    password,
    field(
      'method',
      'Method',
      'How it is asked.',
      { type: 'choice', of: ['GET', 'HEAD', 'POST', 'PUT'] },
      { default: 'GET', section: 'request' },
    ),
    headers,
    field('body', 'Body', 'Sent with the request.', { type: 'multiline' }, { section: 'request' }),
    field(
      'expect_status',
      'Expected status',
      'Any other status is a failure.',
      { type: 'status_list' },
      { default: '200-299', section: 'expect' },
    ),
    expectText,
    field(
      'expect_regex',
      'Expected pattern',
      'The answer must match this regular expression.',
      { type: 'regex' },
      { section: 'expect' },
    ),
    field(
      'expect_json',
      'Expected JSON',
      'Each path must exist and hold what is said.',
      {
        type: 'json_assertions',
        operators: ['equals', 'not_equals', 'contains', 'matches', 'above', 'below', 'exists'],
      },
      { section: 'expect' },
    ),
    verify,
    certificateDays,
    ca,
    field('follow_redirects', 'Follow redirects', 'Up to ten of them.', boolean, {
      default: 'true',
      section: 'advanced',
    }),
    addresses,
  ),
  kind('tcp', 'TCP port', 'Opens a connection.', host, port(), expectText, ...tls, addresses),
  kind(
    'ping',
    'Ping',
    'Sends an echo request.',
    host,
    percent('loss', 'Degraded above', 'Lost ones.', '20'),
    addresses,
  ),
  kind(
    'dns',
    'DNS',
    'Asks for a name and looks at the answer.',
    field('host', 'Name', 'What is asked for.', { type: 'host' }, { required: true }),
    field(
      'record',
      'Record',
      'The kind of record asked for.',
      { type: 'choice', of: ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'SOA', 'SRV', 'TXT'] },
      { default: 'A' },
    ),
    field(
      'resolver',
      'Resolver',
      'The server to ask; the system’s when empty.',
      { type: 'host' },
      { section: 'request' },
    ),
    field('expect_values', 'Expected values', 'All of them must be in the answer.', list, {
      section: 'expect',
    }),
  ),
  kind(
    'tls',
    'TLS certificate',
    'Looks at how long the certificate lasts.',
    host,
    port('443'),
    verify,
    certificateDays,
    ca,
  ),
  kind(
    'udp',
    'UDP',
    'Sends a datagram and waits for one.',
    host,
    port(),
    field('send', 'Send', 'What is sent.', text, { section: 'request' }),
    expectText,
  ),
  kind(
    'websocket',
    'WebSocket',
    'Opens a socket and says hello.',
    field('url', 'URL', 'Where the socket is.', { type: 'url', schemes: ['ws', 'wss'] }, { required: true }),
    headers,
    verify,
    certificateDays,
    ca,
  ),
  kind(
    'grpc',
    'gRPC',
    'Asks the health service.',
    host,
    port(),
    field('service', 'Service', 'All of them when empty.', text, { section: 'request' }),
    ...tls,
  ),
  kind(
    'postgres',
    'PostgreSQL',
    'Connects, logs in, asks.',
    host,
    port('5432'),
    user,
    password,
    database,
    query,
    ...tls,
  ),
  kind(
    'mysql',
    'MySQL / MariaDB',
    'Connects, logs in, asks.',
    host,
    port('3306'),
    user,
    password,
    database,
    query,
    ...tls,
  ),
  kind('redis', 'Redis', 'Sends PING.', host, port('6379'), user, password, ...tls),
  kind('amqp', 'RabbitMQ (AMQP)', 'Opens an AMQP connection.', host, port('5672'), user, password, ...tls),
  kind('mqtt', 'MQTT', 'Connects to the broker.', host, port('1883'), user, password, ...tls),
  kind('nats', 'NATS', 'Connects and sends PING.', host, port('4222'), user, password, ...tls),
  kind('smtp', 'SMTP', 'Greets the mail server.', host, port('25'), user, password, ...tls),
  kind('imap', 'IMAP', 'Greets the mail server.', host, port('143'), user, password, ...tls),
  kind('ssh', 'SSH', 'Reads the server’s greeting.', host, port('22')),
  kind(
    'exec',
    'Command (Nagios plugin)',
    'Runs a program; its exit status and output say how it is.',
    field('command', 'Command', 'The program, then its arguments.', list, { required: true }),
    field('directory', 'Directory', 'Where it runs.', file, { section: 'request' }),
    field(
      'environment',
      'Environment',
      'Variables it is given beside the usual.',
      { type: 'variables' },
      { section: 'request' },
    ),
    expectText,
  ),
  kind(
    'push',
    'Push (reports in)',
    'Waits for a job to report; silence is a failure.',
    field('token', 'Token', 'Who knows it may report.', { type: 'token' }, { required: true }),
    field(
      'grace',
      'Grace',
      'How much later than due is fine.',
      { type: 'duration' },
      { default: '1m', section: 'expect' },
    ),
  ),
  kind(
    'disk',
    'Disk',
    'Looks at the free space.',
    field('path', 'Path', 'Anywhere on the file system.', file, { required: true }),
    percent('degraded_free', 'Degraded below', 'Free space.', '15'),
    percent('unhealthy_free', 'Unhealthy below', 'Free space.', '5'),
  ),
  kind(
    'process',
    'Process',
    'Counts the processes of a name.',
    field('process', 'Name', 'Of the program.', text, { required: true }),
    field(
      'at_least',
      'At least',
      'Running at once.',
      { type: 'integer', min: 0, max: 1000 },
      { default: '1', section: 'expect' },
    ),
  ),
  kind(
    'group',
    'Group',
    'Is as healthy as the services in it.',
    field('members', 'Members', 'The services it is made of.', { type: 'services' }, { required: true }),
    field(
      'needs',
      'Needs',
      'How many of them must be up; all when empty.',
      { type: 'integer', min: 1, max: 100 },
      { section: 'expect' },
    ),
  ),
];

const duration = { type: 'duration' } as const;

export const schema: FormSchema = {
  identity: [
    field('id', 'Id', 'Its stable name: its history hangs on it.', { type: 'text' }, { required: true }),
    field('name', 'Name', 'What it is called. The id if empty.', { type: 'text' }),
    field('group', 'Group', 'Services of one group are listed together.', { type: 'text' }),
    field(
      'depends_on',
      'Depends on',
      'When one of these is down, it is named as the cause and this one stays quiet.',
      {
        type: 'services',
      },
    ),
  ],
  timing: [
    field('every', 'Every', 'How often it is checked.', duration, { default: '30s' }),
    field('timeout', 'Time-out', 'No answer within it is a failure.', duration, { default: '5s' }),
    field('degraded_above', 'Degraded above', 'A slower answer counts as degraded.', duration, {
      default: '2s',
    }),
    field('unhealthy_above', 'Unhealthy above', 'A slower answer counts as a failure.', duration),
    field('retry_every', 'Confirm every', 'After the first failure, until it is certain.', duration, {
      default: '5s',
    }),
    field(
      'fail_after',
      'Down after',
      'Failures in a row.',
      { type: 'integer', min: 1, max: 100 },
      { default: '3' },
    ),
    field(
      'recover_after',
      'Up after',
      'Successes in a row.',
      { type: 'integer', min: 1, max: 100 },
      { default: '2' },
    ),
    field(
      'enabled',
      'Enabled',
      'Off keeps it in the file without checking it.',
      { type: 'boolean' },
      {
        default: 'true',
      },
    ),
  ],
  kinds,
  push_command: 'curl -fsS -X POST -H "Authorization: Bearer {token}" http://127.0.0.1:7411/push/{id}',
  presets: [
    { id: 'cache', label: 'Cache', degraded_above: '50ms', unhealthy_above: '500ms', timeout: '3s' },
    { id: 'database', label: 'Database', degraded_above: '200ms', unhealthy_above: '1s', timeout: '5s' },
    {
      id: 'internal-http',
      label: 'Internal HTTP',
      degraded_above: '500ms',
      unhealthy_above: '2s',
      timeout: '10s',
    },
    {
      id: 'external-api',
      label: 'External API',
      degraded_above: '1s',
      unhealthy_above: '5s',
      timeout: '15s',
    },
  ],
  tiers: [
    { id: 'critical', label: 'Critical', every: '15s' },
    { id: 'supporting', label: 'Supporting', every: '30s' },
    { id: 'external', label: 'External', every: '3m' },
  ],
};
