import type { Field, FieldType, FormSchema, Kind } from '../bindings';

function field(
  key: string,
  label: string,
  help: string,
  value: FieldType,
  more: { required?: boolean; default?: string } = {},
): Field {
  return { key, label, help, value, required: more.required ?? false, default: more.default ?? '' };
}

const host = field('host', 'Host', 'A name or an address.', { type: 'host' }, { required: true });
const port = (standard: string) =>
  field(
    'port',
    'Port',
    'Where it listens.',
    { type: 'integer', min: 1, max: 65535 },
    { required: standard === '', default: standard },
  );
const user = field('username', 'User', 'Who to log in as; empty does not log in.', { type: 'text' });
const password = field('password', 'Password', 'Write keyring:NAME or ${NAME} to keep it out of the file.', {
  type: 'text',
});

const kinds: Kind[] = [
  {
    id: 'http',
    label: 'HTTP',
    help: 'Asks for a page and looks at the answer.',
    fields: [
      field(
        'url',
        'URL',
        'The address that is asked for.',
        { type: 'url', schemes: ['http', 'https'] },
        { required: true },
      ),
      field(
        'method',
        'Method',
        'How it is asked.',
        { type: 'choice', of: ['GET', 'HEAD', 'POST', 'PUT'] },
        { default: 'GET' },
      ),
      field('headers', 'Headers', 'Sent with the request. keyring:NAME keeps a secret out of the file.', {
        type: 'headers',
      }),
      field('body', 'Body', 'Sent with the request.', { type: 'multiline' }),
      field(
        'expect_status',
        'Expect status',
        'Any other status is a failure.',
        { type: 'status_list' },
        { default: '200-299' },
      ),
      field('expect_text', 'Expect text', 'The answer must contain it.', { type: 'text' }),
      field('expect_regex', 'Expect pattern', 'The answer must match this regular expression.', {
        type: 'regex',
      }),
      field('expect_json', 'Expect JSON', 'Each path must exist and hold what is said.', {
        type: 'json_assertions',
        operators: ['equals', 'not_equals', 'contains', 'matches', 'above', 'below', 'exists'],
      }),
      field(
        'certificate_days',
        'Certificate days',
        'Degraded when the certificate ends sooner.',
        { type: 'integer', min: 0, max: 365 },
        { default: '14' },
      ),
      field(
        'follow_redirects',
        'Follow redirects',
        'Up to ten of them.',
        { type: 'boolean' },
        { default: 'true' },
      ),
    ],
  },
  { id: 'tcp', label: 'TCP', help: 'Opens a connection.', fields: [host, port('')] },
  {
    id: 'dns',
    label: 'DNS',
    help: 'Asks for a name.',
    fields: [
      host,
      field(
        'record',
        'Record',
        'The kind of record asked for.',
        { type: 'choice', of: ['A', 'AAAA', 'CNAME', 'MX', 'NS', 'TXT'] },
        { default: 'A' },
      ),
      field('resolver', 'Resolver', 'The server to ask; the system’s when empty.', { type: 'host' }),
    ],
  },
  { id: 'ping', label: 'Ping', help: 'Sends an echo request.', fields: [host] },
  {
    id: 'postgres',
    label: 'PostgreSQL',
    help: 'Connects, logs in, asks.',
    fields: [
      host,
      port('5432'),
      user,
      password,
      field('query', 'Query', 'Must return a row.', { type: 'text' }),
    ],
  },
  {
    id: 'mysql',
    label: 'MySQL',
    help: 'Connects and reads the greeting.',
    fields: [host, port('3306'), user, password],
  },
  { id: 'redis', label: 'Redis', help: 'Sends PING.', fields: [host, port('6379'), password] },
  { id: 'amqp', label: 'RabbitMQ', help: 'Opens an AMQP connection.', fields: [host, port('5672')] },
  { id: 'mqtt', label: 'MQTT', help: 'Connects to the broker.', fields: [host, port('1883')] },
  {
    id: 'ssh',
    label: 'SSH',
    help: 'Reads the server’s greeting.',
    fields: [host, port('22')],
  },
  {
    id: 'tls',
    label: 'Certificate',
    help: 'Looks at how long the certificate lasts.',
    fields: [host, port('443')],
  },
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
