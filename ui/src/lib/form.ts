import type { Field, FieldType, FormSchema, Problem, ServiceValues, Value } from './backend/bindings';

/** A header or a variable. */
export type PairRow = { name: string; value: string };
export type AssertionRow = { path: string; operator: string; value: string };

/** What a control edits. Empty means: the key is absent. */
export type Input = string | boolean | null | PairRow[] | AssertionRow[] | string[];

export type Draft = {
  id: string;
  kind: string;
  preset: string;
  tier: string;
  /** By slot, of every kind, so that changing the kind and back loses nothing. */
  inputs: Record<string, Input>;
  /** Keys the form does not show; saved as they were. */
  rest: ServiceValues;
};

const SPECIAL = new Set(['id', 'check', 'preset', 'tier']);

/** Identity fields the form shows one below the other; the others have a control of their own. */
export function identityFields(schema: FormSchema): Field[] {
  return schema.identity.filter((f) => !SPECIAL.has(f.key));
}

export function timingFields(schema: FormSchema): Field[] {
  return schema.timing.filter((f) => !SPECIAL.has(f.key));
}

function kindFields(schema: FormSchema, kind: string): Field[] {
  return schema.kinds.find((k) => k.id === kind)?.fields ?? [];
}

function shownFields(schema: FormSchema, kind: string): Field[] {
  return [...identityFields(schema), ...timingFields(schema), ...kindFields(schema, kind)];
}

export function toDraft(schema: FormSchema, values: ServiceValues): Draft {
  const kind = text(values.check) || (schema.kinds[0]?.id ?? '');
  const fields = shownFields(schema, kind);
  const known = new Set([...SPECIAL, ...fields.map((f) => f.key)]);
  return {
    id: text(values.id),
    kind,
    preset: text(values.preset),
    tier: text(values.tier),
    inputs: Object.fromEntries(fields.map((f) => [slot(f), toInput(f.value, values[f.key])])),
    rest: Object.fromEntries(Object.entries(values).filter(([key]) => !known.has(key))),
  };
}

export function toValues(schema: FormSchema, draft: Draft): ServiceValues {
  const values: ServiceValues = { id: draft.id };
  const put = (field: Field) => {
    const value = fromInput(field.value, inputOf(draft, field));
    if (value !== undefined) values[field.key] = value;
  };
  identityFields(schema).forEach(put);
  values.check = draft.kind;
  kindFields(schema, draft.kind).forEach(put);
  if (draft.preset) values.preset = draft.preset;
  if (draft.tier) values.tier = draft.tier;
  timingFields(schema).forEach(put);
  return { ...values, ...draft.rest };
}

/** Where the input of a field is kept. Kinds share it where the same key is edited in the same way. */
export function slot(field: Field): string {
  const { key, value } = field;
  switch (value.type) {
    case 'text':
    case 'multiline':
    case 'url':
    case 'host':
    case 'integer':
    case 'number':
    case 'duration':
    case 'size':
    case 'regex':
    case 'status_list':
    case 'secret':
    case 'token':
    case 'file':
      return key;
    case 'choice':
      return `${key} of ${value.of.join(' ')}`;
    case 'boolean':
    case 'headers':
    case 'json_assertions':
    case 'services':
    case 'list':
    case 'variables':
      return `${key} as ${value.type}`;
  }
}

export function inputOf(draft: Draft, field: Field): Input {
  return draft.inputs[slot(field)] ?? empty(field.value);
}

/** Whether it would be written to the file. */
export function isSet(draft: Draft, field: Field): boolean {
  return fromInput(field.value, inputOf(draft, field)) !== undefined;
}

export function empty(type: FieldType): Input {
  switch (type.type) {
    case 'boolean':
      return null;
    case 'headers':
    case 'variables':
    case 'json_assertions':
    case 'services':
    case 'list':
      return [];
    case 'text':
    case 'multiline':
    case 'url':
    case 'host':
    case 'integer':
    case 'number':
    case 'duration':
    case 'size':
    case 'regex':
    case 'choice':
    case 'status_list':
    case 'secret':
    case 'token':
    case 'file':
      return '';
  }
}

export function toInput(type: FieldType, value: Value | undefined): Input {
  if (value === undefined) return empty(type);
  switch (type.type) {
    case 'boolean':
      return value === true;
    case 'headers':
    case 'variables':
      return Object.entries(isTable(value) ? value : {}).map(([name, v]) => ({ name, value: text(v) }));
    case 'json_assertions':
      return (Array.isArray(value) ? value : []).filter(isTable).map((row) => {
        const operator =
          type.operators.find((o) => o in row) ?? Object.keys(row).find((k) => k !== 'path') ?? '';
        return { path: text(row.path), operator, value: literal(row[operator]) };
      });
    case 'services':
    case 'list':
      return (Array.isArray(value) ? value : [value]).map(text);
    case 'status_list':
      return (Array.isArray(value) ? value : [value]).map(text).join(', ');
    case 'text':
    case 'multiline':
    case 'url':
    case 'host':
    case 'integer':
    case 'number':
    case 'duration':
    case 'size':
    case 'regex':
    case 'choice':
    case 'secret':
    case 'token':
    case 'file':
      return text(value);
  }
}

/** Undefined: nothing was set. What cannot be understood is passed on as written, for the review to name. */
export function fromInput(type: FieldType, input: Input): Value | undefined {
  switch (type.type) {
    case 'boolean':
      return typeof input === 'boolean' ? input : undefined;
    case 'integer': {
      const written = asText(input).trim();
      if (written === '') return undefined;
      return /^[+-]?\d+$/.test(written) ? Number(written) : written;
    }
    case 'number': {
      const written = asText(input).trim().replace(',', '.');
      if (written === '') return undefined;
      return Number.isFinite(Number(written)) ? Number(written) : written;
    }
    case 'status_list': {
      const parts = asText(input)
        .replace(/(\d)\s*[-–]\s*(\d)/g, '$1-$2')
        .split(/[\s,;]+/)
        .filter(Boolean)
        .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
      return parts.length > 0 ? parts : undefined;
    }
    case 'headers':
    case 'variables': {
      const rows = (input as PairRow[]).filter((row) => row.name.trim() !== '' || row.value !== '');
      if (rows.length === 0) return undefined;
      return Object.fromEntries(rows.map((row) => [row.name.trim(), row.value]));
    }
    case 'json_assertions': {
      const rows = (input as AssertionRow[]).filter((row) => row.path.trim() !== '' || row.value !== '');
      if (rows.length === 0) return undefined;
      return rows.map((row) => ({ path: row.path.trim(), [row.operator]: parseLiteral(row) }));
    }
    case 'services':
      return (input as string[]).length > 0 ? (input as string[]) : undefined;
    case 'list': {
      // An empty one between others, or before them, is meant: a program's argument may be empty.
      const rows = input as string[];
      const filled = rows.filter((_, i) => rows.slice(i).some((later) => later !== ''));
      return filled.length > 0 ? filled : undefined;
    }
    case 'multiline':
    case 'regex':
    case 'secret':
      return asText(input) === '' ? undefined : asText(input);
    case 'text':
    case 'url':
    case 'host':
    case 'duration':
    case 'size':
    case 'choice':
    case 'token':
    case 'file': {
      const written = asText(input).trim();
      return written === '' ? undefined : written;
    }
  }
}

/** Turning a switch back to its default removes the key. */
export function toggled(field: Field, checked: boolean): boolean | null {
  return checked === (field.default === 'true') ? null : checked;
}

export function isChecked(field: Field, input: Input): boolean {
  return typeof input === 'boolean' ? input : field.default === 'true';
}

/** `[a-z0-9-]+` from a name, not among those taken. */
export function idFrom(name: string, taken: Iterable<string>): string {
  const base =
    name
      .normalize('NFKD')
      .replace(/[\u0300-\u036f]/g, '')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '') || 'service';
  const used = new Set(taken);
  if (!used.has(base)) return base;
  let n = 2;
  while (used.has(`${base}-${n}`)) n += 1;
  return `${base}-${n}`;
}

/** By field; a problem inside a list (`expect_json[0].path`) belongs to its field, an unknown one to the whole (''). */
export function problemsByField(problems: Problem[], shown: Iterable<string>): Map<string, string> {
  const known = new Set(shown);
  const found = new Map<string, string>();
  for (const problem of problems) {
    const key = problem.field.split(/[.[]/)[0] ?? '';
    const at = known.has(key) ? key : '';
    const words = [problem.message, problem.help].filter(Boolean).map(sentence).join(' ');
    found.set(at, found.has(at) ? `${found.get(at)} ${words}` : words);
  }
  return found;
}

function sentence(words: string): string {
  return /[.!?:]$/.test(words) ? words : `${words}.`;
}

function isTable(value: Value): value is { [key: string]: Value } {
  return typeof value === 'object' && !Array.isArray(value);
}

function text(value: Value | undefined): string {
  if (value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function asText(input: Input): string {
  return typeof input === 'string' ? input : '';
}

/** A string is written bare, unless it would then be read as something else. */
function literal(value: Value | undefined): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return readsAsText(value) ? value : JSON.stringify(value);
  return JSON.stringify(value);
}

function readsAsText(written: string): boolean {
  return typeof parse(written) === 'string' && !written.startsWith('"');
}

function parseLiteral(row: AssertionRow): Value {
  if (row.value.trim() === '' && row.operator === 'exists') return true;
  return parse(row.value);
}

function parse(written: string): Value {
  try {
    const value = JSON.parse(written) as Value | null;
    return value === null ? written : value;
  } catch {
    return written;
  }
}
