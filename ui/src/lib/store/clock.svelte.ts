import { createSubscriber } from 'svelte/reactivity';

const subscribe = createSubscriber((update) => {
  let timer: ReturnType<typeof setInterval> | undefined;
  const follow = () => {
    clearInterval(timer);
    if (document.visibilityState === 'visible') {
      update();
      timer = setInterval(update, 1000);
    }
  };
  follow();
  document.addEventListener('visibilitychange', follow);
  return () => {
    clearInterval(timer);
    document.removeEventListener('visibilitychange', follow);
  };
});

/** The present, to the second. It ticks only while something visible reads it. */
export const clock = {
  get now(): number {
    subscribe();
    return Date.now();
  },
};
