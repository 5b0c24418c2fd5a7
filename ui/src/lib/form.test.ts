import { describe, expect, it } from 'vitest';
import { schema } from './backend/fake/schema';
import {
  fromInput,
  idFrom,
  inputOf,
  problemsByField,
  slot,
  toDraft,
  toInput,
  toValues,
  toggled,
  type Input,
} from './form';
import type { FieldType, ServiceValues, Value } from './backend/bindings';

const service: ServiceValues = {
  id: 'api',
  name: 'API Gateway',
  group: 'Edge',
  depends_on: ['user', 'auth'],
  check: 'http',
  url: 'https://api.example.com/health',
  headers: { Authorization: 'keyring:api-token' },
  expect_status: ['200-299', 301],
  expect_json: [
    { path: '$.status', equals: 'ok' },
    { path: '$.version', equals: '42' },
    { path: '$.count', above: 3 },
    { path: '$.ready', equals: true },
  ],
  follow_redirects: false,
  preset: 'internal-http',
  tier: 'critical',
  fail_after: 5,
};

describe('a service', () => {
  it('comes out of the form as it went in', () => {
    expect(toValues(schema, toDraft(schema, service))).toEqual(service);
  });

  it('keeps keys the form does not show', () => {
    const values = { ...service, something_else: { a: [1] } };
    expect(toValues(schema, toDraft(schema, values))).toEqual(values);
  });

  it('has no key for what is empty', () => {
    const draft = toDraft(schema, { check: 'http' });
    draft.id = 'a';
    draft.inputs.name = 'A';
    draft.inputs.url = '  ';
    expect(toValues(schema, draft)).toEqual({ id: 'a', name: 'A', check: 'http' });
  });

  it('saves the fields of its kind only, and keeps the others for going back', () => {
    const draft = toDraft(schema, service);
    draft.kind = 'ping';
    draft.inputs.host = 'db.internal';
    expect(toValues(schema, draft)).toEqual({
      id: 'api',
      name: 'API Gateway',
      group: 'Edge',
      depends_on: ['user', 'auth'],
      check: 'ping',
      host: 'db.internal',
      preset: 'internal-http',
      tier: 'critical',
      fail_after: 5,
    });
    draft.kind = 'http';
    expect(toValues(schema, draft)).toEqual(service);
  });
});

describe('changing the kind', () => {
  const field = (kind: string, key: string) =>
    schema.kinds.find((k) => k.id === kind)!.fields.find((f) => f.key === key)!;

  it('keeps what both have', () => {
    const draft = toDraft(schema, { id: 'db', check: 'postgres', host: 'db', port: 15432, password: 'x' });
    draft.kind = 'mysql';
    expect(toValues(schema, draft)).toEqual({
      id: 'db',
      check: 'mysql',
      host: 'db',
      port: 15432,
      password: 'x',
    });
  });

  it('keeps apart what has the same key but is edited differently', () => {
    const headers = field('http', 'headers');
    expect(slot(headers)).toBe('headers as headers');
    expect(slot({ ...headers, value: { type: 'text' } })).toBe('headers');
    expect(slot({ ...headers, value: { type: 'choice', of: ['a', 'b'] } })).toBe('headers of a b');
  });

  it('begins empty where the kind before had no such field', () => {
    const draft = toDraft(schema, { id: 'a', check: 'tcp', host: 'a', port: 1 });
    expect(inputOf(draft, field('exec', 'command'))).toEqual([]);
    expect(inputOf(draft, field('push', 'token'))).toBe('');
    expect(inputOf(draft, field('http', 'follow_redirects'))).toBeNull();
  });
});

describe('inputs', () => {
  const statuses: FieldType = { type: 'status_list' };
  const integer: FieldType = { type: 'integer', min: 1, max: 9 };
  const json: FieldType = { type: 'json_assertions', operators: ['equals', 'exists'] };

  it.each<[string, Value | undefined]>([
    ['200-299, 301', ['200-299', 301]],
    ['200 – 204 404', ['200-204', 404]],
    ['teapot', ['teapot']],
    ['  ', undefined],
  ])('a status list "%s"', (text, value) => expect(fromInput(statuses, text)).toEqual(value));

  it('passes on what is not a number, for the review to say so', () => {
    expect(fromInput(integer, ' 7 ')).toBe(7);
    expect(fromInput(integer, 'seven')).toBe('seven');
    expect(fromInput(integer, '')).toBeUndefined();
  });

  it('writes a text that looks like a number in quotes, and reads it back as text', () => {
    const rows = toInput(json, [{ path: '$.v', equals: '42' }]);
    expect(rows).toEqual([{ path: '$.v', operator: 'equals', value: '"42"' }]);
    expect(fromInput(json, rows)).toEqual([{ path: '$.v', equals: '42' }]);
  });

  it.each<[FieldType['type'], Input, Value | undefined]>([
    ['secret', ' with blanks ', ' with blanks '],
    ['secret', '', undefined],
    ['token', ' keyring:backup ', 'keyring:backup'],
    ['file', ' /etc/ssl/ca.pem ', '/etc/ssl/ca.pem'],
    ['file', ' ', undefined],
    ['list', ['check_disk', '-w', '20'], ['check_disk', '-w', '20']],
    ['list', ['echo', '', 'x', '', ''], ['echo', '', 'x']],
    ['list', ['', ''], undefined],
    ['variables', [{ name: ' LC_ALL ', value: 'C' }], { LC_ALL: 'C' }],
    ['variables', [{ name: '', value: '' }], undefined],
  ])('%s: %j is written as %j', (type, input, value) => {
    expect(fromInput({ type } as FieldType, input)).toEqual(value);
  });

  it.each<[FieldType['type'], Value, Input]>([
    ['secret', '${DB_PASSWORD}', '${DB_PASSWORD}'],
    ['token', 'abc', 'abc'],
    ['file', '/var', '/var'],
    ['list', ['b', 'a'], ['b', 'a']],
    ['list', '203.0.113.24', ['203.0.113.24']],
    [
      'variables',
      { A: '1', B: '' },
      [
        { name: 'A', value: '1' },
        { name: 'B', value: '' },
      ],
    ],
  ])('%s: %j is edited as %j', (type, value, input) => {
    expect(toInput({ type } as FieldType, value)).toEqual(input);
  });

  it('takes an assertion without a value as true for `exists`', () => {
    expect(fromInput(json, [{ path: '$.v', operator: 'exists', value: '' }])).toEqual([
      { path: '$.v', exists: true },
    ]);
  });

  it('removes the key when a switch is back at its default', () => {
    const field = schema.kinds[0]!.fields.find((f) => f.key === 'follow_redirects')!;
    expect(toggled(field, false)).toBe(false);
    expect(toggled(field, true)).toBeNull();
  });
});

describe('an id', () => {
  it.each([
    ['API Gateway', 'api-gateway'],
    ['  Büro – Drucker 2 ', 'buro-drucker-2'],
    ['日本', 'service'],
  ])('from "%s"', (name, id) => expect(idFrom(name, [])).toBe(id));

  it('is another when taken', () => expect(idFrom('API', ['api', 'api-2'])).toBe('api-3'));
});

it('gives a problem to its field, or to the whole form', () => {
  const found = problemsByField(
    [
      { field: 'expect_json[0].path', message: 'Not a path', help: 'Begin with $.' },
      { field: 'nowhere', message: 'Cannot be written.', help: '' },
    ],
    ['expect_json'],
  );
  expect(found.get('expect_json')).toBe('Not a path. Begin with $.');
  expect(found.get('')).toBe('Cannot be written.');
});
