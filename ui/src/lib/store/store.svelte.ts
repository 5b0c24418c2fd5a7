import type { Figures, Head, Incident, Overview, Push, ServiceSummary } from '../backend/bindings';

export type Group = { name: string | null; services: ServiceSummary[] };

/** All the window knows without asking for a page's detail. Replaced piece by piece, so that an unchanged service keeps its identity and its row is not drawn again. */
export class Store {
  head = $state.raw<Head | null>(null);
  services = $state.raw<ServiceSummary[]>([]);
  figures = $state.raw<Record<string, Figures>>({});

  readonly byId = $derived(new Map(this.services.map((s) => [s.id, s])));
  readonly groups = $derived(groupServices(this.services));
  readonly roots = $derived(this.head?.incidents.filter((i) => i.caused_by === null) ?? []);

  load(overview: Overview): void {
    this.head = overview.head;
    this.services = overview.services;
  }

  apply(push: Push): void {
    switch (push.type) {
      case 'changed':
        this.head = push.head;
        this.services = mergeServices(this.services, push.services, push.order);
        break;
      case 'figures':
        this.figures = { ...this.figures, ...push.figures };
        break;
      case 'navigate':
      case 'config_changed':
        break;
    }
  }

  name(id: string): string {
    return this.byId.get(id)?.name ?? id;
  }

  activeIncident(service: string): Incident | undefined {
    return this.head?.incidents.find((i) => i.service === service);
  }
}

/** Changed services replace their old selves; `order`, where given, says which there are and in what order. */
export function mergeServices(
  old: ServiceSummary[],
  changed: ServiceSummary[],
  order: string[] | null,
): ServiceSummary[] {
  if (changed.length === 0 && order === null) return old;
  const byId = new Map(changed.map((s) => [s.id, s]));
  if (order === null) {
    const merged = old.map((s) => byId.get(s.id) ?? s);
    const known = new Set(old.map((s) => s.id));
    return [...merged, ...changed.filter((s) => !known.has(s.id))];
  }
  const oldById = new Map(old.map((s) => [s.id, s]));
  return order.flatMap((id) => byId.get(id) ?? oldById.get(id) ?? []);
}

/** In the order in which each group is first named. */
export function groupServices(services: ServiceSummary[]): Group[] {
  const groups = new Map<string | null, ServiceSummary[]>();
  for (const service of services) {
    const members = groups.get(service.group);
    if (members) members.push(service);
    else groups.set(service.group, [service]);
  }
  return [...groups].map(([name, members]) => ({ name, services: members }));
}

export const store = new Store();
