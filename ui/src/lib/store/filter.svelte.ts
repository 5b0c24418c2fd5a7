/** Kept while a service found with it is looked at. */
export const filter = $state({ text: '' });
