import { expect, it } from 'vitest';
import { schema } from './backend/fake/schema';
import { groupedKinds } from './kinds';

const found = (search: string) =>
  groupedKinds(schema.kinds, search).map((group) => [group.label, group.kinds.map((kind) => kind.id)]);

it('puts every kind into one group', () => {
  const ids = groupedKinds(schema.kinds).flatMap((group) => group.kinds.map((kind) => kind.id));
  expect([...ids].sort()).toEqual(schema.kinds.map((kind) => kind.id).sort());
});

it('finds kinds by name, help, group or another word for them', () => {
  expect(found('maria')).toEqual([['Databases', ['mysql']]]);
  expect(found('datagram')).toEqual([['Network', ['udp']]]);
  expect(found('messaging')).toEqual([['Messaging', ['amqp', 'mqtt', 'nats']]]);
  expect(found('cron')).toEqual([['Your own jobs', ['push']]]);
  expect(found('mail login zzz')).toEqual([]);
});

it('keeps kinds it does not know under "Other"', () => {
  const kind = { id: 'ldap', label: 'LDAP', help: 'Binds.', fields: [] };
  expect(groupedKinds([...schema.kinds, kind]).at(-1)).toEqual({ label: 'Other', kinds: [kind] });
});
