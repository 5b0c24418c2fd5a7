import { call } from '../backend';
import type { Incident } from '../backend/bindings';
import { refetched } from './refetch.svelte';
import { store } from './store.svelte';

/** Active and resolved incidents, fetched again when one opens or is resolved. Call while a component initialises. */
export function fetchedIncidents() {
  let known = ids(store.head?.incidents ?? []);
  return refetched(
    () => call('incidents', {}),
    (push) => {
      if (push.type !== 'changed') return false;
      const active = ids(push.head.incidents);
      const news = active !== known;
      known = active;
      return news;
    },
  );
}

function ids(incidents: Incident[]): string {
  return incidents.map((i) => i.id).join();
}
