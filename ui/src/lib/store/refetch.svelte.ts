import type { Push } from '../backend/bindings';
import { listen } from '../backend';
import { toasts } from './toasts.svelte';

const APART_MS = 2000;

/**
 * A page's own data: fetched when what it is about changes, and again when a push concerns it, at most every two seconds.
 * Call while a component initialises.
 */
export function refetched<T>(fetch: () => Promise<T>, concerns: (push: Push) => boolean) {
  let value = $state.raw<T | null>(null);

  $effect(() => {
    let gone = false;
    let last = 0;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let newest = 0;
    let failed = false;

    const load = (ask: () => Promise<T>) => {
      last = Date.now();
      const mine = ++newest;
      ask().then(
        (reply) => {
          if (gone || mine !== newest) return;
          value = reply;
          failed = false;
        },
        (error: unknown) => {
          if (gone || mine !== newest) return;
          if (!failed) toasts.fail(error);
          failed = true;
        },
      );
    };
    const again = () => {
      if (gone || timer !== undefined) return;
      timer = setTimeout(
        () => {
          timer = undefined;
          load(fetch);
        },
        Math.max(0, last + APART_MS - Date.now()),
      );
    };
    // Called within the effect, so that what it reads makes it fetch anew.
    load(fetch);
    const stop = listen((push) => {
      if (concerns(push)) again();
    });
    return () => {
      gone = true;
      clearTimeout(timer);
      void stop.then((unlisten) => unlisten());
    };
  });

  return {
    get value(): T | null {
      return value;
    },
  };
}
