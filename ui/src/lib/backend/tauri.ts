import { invoke } from '@tauri-apps/api/core';
import { listen } from '@tauri-apps/api/event';
import type { Backend } from './backend';
import type { Push } from './bindings';

export const tauri: Backend = {
  call: (name, args) => invoke(name, args),
  listen: (handler) => listen<Push>('push', (event) => handler(event.payload)),
};
