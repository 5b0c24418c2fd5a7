export type SettingsSection = 'services' | 'appearance' | 'notifications' | 'config' | 'about';

export type Route =
  | { page: 'overview' }
  | { page: 'service'; id: string }
  | { page: 'incidents' }
  | { page: 'incident'; id: number }
  | { page: 'settings'; section: SettingsSection }
  | { page: 'edit'; id: string }
  | { page: 'new'; from: string | null };

const SECTIONS: SettingsSection[] = ['services', 'appearance', 'notifications', 'config', 'about'];

/** Unknown paths are the overview. */
export function parse(path: string): Route {
  const [pathname = '', query = ''] = path.replace(/^#/, '').split('?');
  const [first, second, third] = pathname.split('/').filter(Boolean).map(decode);
  switch (first) {
    case 'service':
      return second ? { page: 'service', id: second } : { page: 'overview' };
    case 'incidents':
      return { page: 'incidents' };
    case 'incident':
      return second && /^\d+$/.test(second)
        ? { page: 'incident', id: Number(second) }
        : { page: 'incidents' };
    case 'settings': {
      if (second === 'new') return { page: 'new', from: new URLSearchParams(query).get('from') };
      if (second === 'services' && third) return { page: 'edit', id: third };
      const section = SECTIONS.find((s) => s === second);
      return { page: 'settings', section: section ?? 'services' };
    }
    default:
      return { page: 'overview' };
  }
}

export function pathOf(route: Route): string {
  switch (route.page) {
    case 'overview':
      return '/';
    case 'service':
      return `/service/${encodeURIComponent(route.id)}`;
    case 'incidents':
      return '/incidents';
    case 'incident':
      return `/incident/${route.id}`;
    case 'settings':
      return route.section === 'services' ? '/settings' : `/settings/${route.section}`;
    case 'edit':
      return `/settings/services/${encodeURIComponent(route.id)}`;
    case 'new':
      return route.from ? `/settings/new?from=${encodeURIComponent(route.from)}` : '/settings/new';
  }
}

export function href(route: Route): string {
  return `#${pathOf(route)}`;
}

/** Where Esc leads when there is nowhere to go back to. */
export function parent(route: Route): Route {
  switch (route.page) {
    case 'incident':
      return { page: 'incidents' };
    case 'edit':
    case 'new':
      return { page: 'settings', section: 'services' };
    case 'overview':
    case 'service':
    case 'incidents':
    case 'settings':
      return { page: 'overview' };
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

class Router {
  #path = $state.raw('/');
  readonly route = $derived(parse(this.#path));
  /** Asked before leaving a page with unsaved changes; false keeps it. */
  guard: (() => Promise<boolean>) | null = null;
  /** Pages visited in this window, the present one last. */
  #trail: string[] = [];
  #scroll = new Map<string, number>();
  #asking = false;

  get path(): string {
    return this.#path;
  }

  start(): () => void {
    const path = location.hash.slice(1) || '/';
    this.#path = path;
    this.#trail = [path];
    history.scrollRestoration = 'manual';
    const changed = () => void this.#changed();
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }

  go(to: Route | string): void {
    location.hash = typeof to === 'string' ? to : pathOf(to);
    // At once; the event comes later and finds nothing left to do.
    void this.#changed();
  }

  back(): void {
    if (this.#trail.length > 1) history.back();
    else this.go(parent(this.route));
  }

  /** Where the page had been scrolled to when it was left by going deeper. */
  savedScroll(): number {
    return this.#scroll.get(this.#path) ?? 0;
  }

  async #changed(): Promise<void> {
    const next = location.hash.slice(1) || '/';
    if (next === this.#path) return;
    if (this.guard) {
      history.pushState(null, '', `#${this.#path}`);
      if (this.#asking) return;
      this.#asking = true;
      const leave = await this.guard();
      this.#asking = false;
      if (!leave) return;
      this.guard = null;
      this.go(next);
      return;
    }
    this.#scroll.set(this.#path, window.scrollY);
    if (this.#trail.at(-2) === next) {
      this.#trail.pop();
    } else {
      this.#trail.push(next);
      this.#scroll.delete(next);
    }
    this.#path = next;
  }
}

export const router = new Router();
