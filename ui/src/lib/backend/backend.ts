import type { Commands, Push } from './bindings';

/** What the window needs of the app behind it. */
export interface Backend {
  call<K extends keyof Commands>(name: K, args: Commands[K]['args']): Promise<Commands[K]['reply']>;
  /** Returns a function that stops listening. */
  listen(handler: (push: Push) => void): Promise<() => void>;
}
