import type { Field, Section } from './backend/bindings';
import { fromInput, inputOf, isSet, type Draft } from './form';

const LABELS: Record<Section, string> = {
  target: 'Target',
  login: 'Log in',
  request: 'Request',
  expect: 'What to expect',
  tls: 'TLS',
  advanced: 'Advanced',
};

const ORDER = Object.keys(LABELS) as Section[];
const LONGEST = 24;

export type FormSection = { id: Section; label: string; fields: Field[] };

/** The fields of a kind in the sections it has, in the order a check goes through them. */
export function sectionsOf(fields: Field[]): FormSection[] {
  return ORDER.map((id) => ({
    id,
    label: LABELS[id],
    fields: fields.filter((f) => f.section === id),
  })).filter((section) => section.fields.length > 0);
}

/** Whether it is worth seeing at once: it says where, must be filled in, or holds something. */
export function opensAtFirst(section: FormSection, draft: Draft): boolean {
  return section.id === 'target' || section.fields.some((field) => field.required || isSet(draft, field));
}

/** What a closed section holds: what is set in it, else what could be. */
export function summaryOf(fields: Field[], draft: Draft): string {
  const set = fields.filter((field) => isSet(draft, field));
  const words = set.length > 0 ? set.map((field) => valueWords(field, draft)) : fields.map((f) => f.label);
  return words.join(' · ');
}

function valueWords(field: Field, draft: Draft): string {
  const value = fromInput(field.value, inputOf(draft, field));
  switch (field.value.type) {
    case 'boolean':
      return `${field.label} ${value === true ? 'on' : 'off'}`;
    case 'integer':
    case 'number':
      return `${field.label} ${String(value)} ${field.unit}`.trim();
    case 'text':
    case 'url':
    case 'host':
    case 'duration':
    case 'size':
    case 'choice':
    case 'status_list':
    case 'file': {
      const written = Array.isArray(value) ? value.join(', ') : String(value);
      return written.length > LONGEST ? field.label : `${field.label} ${written}`;
    }
    case 'secret':
    case 'token':
    case 'multiline':
    case 'regex':
    case 'headers':
    case 'variables':
    case 'json_assertions':
    case 'services':
    case 'list':
      return field.label;
  }
}
