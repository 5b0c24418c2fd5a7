const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const LENGTH = 24;

/** Random and fit for a URL. */
export function newToken(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(LENGTH));
  return Array.from(bytes, (byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** Names a secret that is kept elsewhere, so there is nothing to hide. */
export function isReference(written: string): boolean {
  return /^(\$\{[^}]*\}|keyring:.*)$/.test(written.trim());
}

/** What a job runs to report in. Of a token kept elsewhere only the shell may know the value. */
export function pushCommand(template: string, id: string, token: string): string {
  const value = token.trim().startsWith('keyring:') ? 'TOKEN' : token.trim() || 'TOKEN';
  return template.replaceAll('{id}', () => id).replaceAll('{token}', () => value);
}
