import { createSubscriber } from 'svelte/reactivity';

/** The system's choice and the preference both end in the computed tokens. */
const subscribe = createSubscriber((update) => {
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const chosen = new MutationObserver(update);
  dark.addEventListener('change', update);
  chosen.observe(document.documentElement, { attributeFilter: ['data-theme'] });
  return () => {
    dark.removeEventListener('change', update);
    chosen.disconnect();
  };
});

export type ThemeColors = (typeof themeColors)['current'];

/** Tokens as a canvas needs them; they follow the theme. */
export const themeColors = {
  get current() {
    subscribe();
    const style = getComputedStyle(document.documentElement);
    const read = (token: string) => style.getPropertyValue(token).trim();
    const accent = read('--accent');
    return {
      ink2: read('--ink-2'),
      ink3: read('--ink-3'),
      line: read('--line'),
      accent,
      accentLine: `${accent}99`,
      accentSoft: `${accent}2e`,
      degraded: read('--degraded'),
      unhealthy: read('--unhealthy'),
      unhealthySoft: read('--unhealthy-soft'),
      unknownSoft: read('--unknown-soft'),
      font: read('--font'),
    };
  },
};
