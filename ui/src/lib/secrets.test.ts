import { expect, it } from 'vitest';
import { isReference, newToken, pushCommand } from './secrets';

it('makes tokens of 24 characters that a URL may hold', () => {
  const tokens = Array.from({ length: 50 }, newToken);
  expect(tokens.every((token) => /^[\w-]{24}$/.test(token))).toBe(true);
  expect(new Set(tokens).size).toBe(50);
});

it.each([
  ['${DB_PASSWORD}', true],
  ['keyring:db', true],
  ['hunter2', false],
  ['a${B}', false],
  ['', false],
])('"%s" is a reference: %s', (written, is) => expect(isReference(written)).toBe(is));

it('fills in the line that a job runs', () => {
  const template = 'curl -H "Authorization: Bearer {token}" http://127.0.0.1:1/push/{id}';
  expect(pushCommand(template, 'backup', 'a$&b')).toBe(
    'curl -H "Authorization: Bearer a$&b" http://127.0.0.1:1/push/backup',
  );
  expect(pushCommand('{token}', 'backup', '${TOKEN_OF_BACKUP}')).toBe('${TOKEN_OF_BACKUP}');
  expect(pushCommand('{token}', 'backup', 'keyring:backup')).toBe('TOKEN');
  expect(pushCommand('{token}', 'backup', '')).toBe('TOKEN');
});
