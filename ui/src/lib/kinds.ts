import type { Kind } from './backend/bindings';

type Grouped = { label: string; kinds: Kind[] };

const GROUPS: [string, string[]][] = [
  ['Web', ['http', 'websocket', 'grpc', 'tls']],
  ['Network', ['tcp', 'udp', 'ping', 'dns']],
  ['Databases', ['postgres', 'mysql', 'redis']],
  ['Messaging', ['amqp', 'mqtt', 'nats']],
  ['Mail & shell', ['smtp', 'imap', 'ssh']],
  ['Your own jobs', ['exec', 'push']],
  ['This machine', ['disk', 'process']],
  ['Composed', ['group']],
];

/** Other words people look for. */
const ALIASES: Record<string, string> = {
  http: 'https url website page api rest',
  tls: 'ssl expiry x509',
  websocket: 'ws wss',
  tcp: 'socket',
  ping: 'icmp',
  postgres: 'sql pg',
  mysql: 'sql',
  redis: 'cache valkey',
  smtp: 'mail email',
  imap: 'mail email',
  exec: 'script program shell icinga',
  push: 'cron job heartbeat backup dead man webhook',
  disk: 'space storage filesystem volume',
  process: 'daemon running',
  group: 'composite any all',
};

/** The kinds that fit every word, in their groups; those of no group come last, under "Other". */
export function groupedKinds(kinds: Kind[], search = ''): Grouped[] {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const grouped = new Set(GROUPS.flatMap(([, ids]) => ids));
  const fits = (kind: Kind, group: string) => {
    const haystack = [kind.id, kind.label, kind.help, group, ALIASES[kind.id] ?? ''].join('\n').toLowerCase();
    return words.every((word) => haystack.includes(word));
  };
  return [
    ...GROUPS.map(([label, ids]) => ({ label, kinds: kinds.filter((k) => ids.includes(k.id)) })),
    { label: 'Other', kinds: kinds.filter((k) => !grouped.has(k.id)) },
  ]
    .map(({ label, kinds }) => ({ label, kinds: kinds.filter((k) => fits(k, label)) }))
    .filter((group) => group.kinds.length > 0);
}
