import { expect, it } from 'vitest';
import type { ServiceValues } from './backend/bindings';
import { schema } from './backend/fake/schema';
import { toDraft } from './form';
import { opensAtFirst, sectionsOf, summaryOf } from './sections';

function sections(values: ServiceValues) {
  const draft = toDraft(schema, values);
  const fields = schema.kinds.find((kind) => kind.id === draft.kind)?.fields ?? [];
  return sectionsOf(fields).map((section) => ({
    id: section.id,
    open: opensAtFirst(section, draft),
    summary: summaryOf(section.fields, draft),
  }));
}

const open = (values: ServiceValues) =>
  sections(values)
    .filter((section) => section.open)
    .map((section) => section.id);

it('has the sections a kind has fields for, in their order', () => {
  expect(sections({ check: 'http' }).map((section) => section.id)).toEqual([
    'target',
    'login',
    'request',
    'expect',
    'tls',
    'advanced',
  ]);
  expect(sections({ check: 'ssh' }).map((section) => section.id)).toEqual(['target']);
});

it('opens the target, and what holds something', () => {
  expect(open({ check: 'http', url: 'https://example.com' })).toEqual(['target']);
  expect(open({ check: 'http', headers: { A: '1' }, verify_tls: false })).toEqual([
    'target',
    'request',
    'tls',
  ]);
});

it('opens what must be filled in', () => {
  const required = { ...schema.kinds[0]!.fields[1]!, required: true };
  const [section] = sectionsOf([required]);
  expect(section?.id).toBe('login');
  expect(opensAtFirst(section!, toDraft(schema, { check: 'http' }))).toBe(true);
});

it('says what is set in a closed one, but no secret, else what could be', () => {
  const values = {
    check: 'http',
    password: 'hunter2',
    verify_tls: false,
    certificate_days: 30,
    tls_ca: '/etc/ssl/a-long-way-down/to-our-own-ca.pem',
  };
  const said = Object.fromEntries(sections(values).map((section) => [section.id, section.summary]));
  expect(said.login).toBe('Password');
  expect(said.tls).toBe('Verify off · Degraded below 30 days · Own CA');
  expect(said.request).toBe('Method · Headers · Body');
});
