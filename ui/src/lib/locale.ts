// In the C locale WebKitGTK says that the language is "C", which Intl, and with it uPlot, refuses.
try {
  new Intl.NumberFormat(navigator.language);
} catch {
  Object.defineProperty(navigator, 'language', { value: 'en', configurable: true });
}
