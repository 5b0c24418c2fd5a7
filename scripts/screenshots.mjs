// Takes the pictures of docs/screenshots from the real window while the demo
// plays. Runs inside `xvfb-run` and `dbus-run-session`: see the Makefile.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const [program, folder] = process.argv.slice(2);
const driver = 'http://127.0.0.1:4460';
const home = mkdtempSync(join(tmpdir(), 'pilotlight-screenshots-'));
mkdirSync(folder, { recursive: true });

async function ask(method, path, body) {
  const answer = await fetch(driver + path, { method, body: body && JSON.stringify(body) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${path}: ${value.message}`);
  return value;
}

const webDriver = spawn('WebKitWebDriver', ['--port=4460'], {
  stdio: 'ignore',
  env: {
    ...process.env,
    HOME: home,
    XDG_CONFIG_HOME: join(home, 'config'),
    XDG_DATA_HOME: join(home, 'data'),
    XDG_CACHE_HOME: join(home, 'cache'),
    TAURI_WEBVIEW_AUTOMATION: 'true',
  },
});

async function patiently(work, what) {
  for (let tries = 0; tries < 240; tries++) {
    try {
      const result = await work();
      if (result) return result;
    } catch (error) {
      if (tries === 239) throw error;
    }
    await sleep(500);
  }
  throw new Error(`waited too long for ${what}`);
}

async function session(args) {
  const options = { 'webkitgtk:browserOptions': { binary: program, args } };
  const { sessionId } = await patiently(
    () => ask('POST', '/session', { capabilities: { alwaysMatch: options } }),
    'the window',
  );
  const at = `/session/${sessionId}`;
  const run = (script, ...values) => ask('POST', `${at}/execute/sync`, { script, args: values });
  return {
    run,
    size: (width, height) => ask('POST', `${at}/window/rect`, { x: 0, y: 0, width, height }),
    call: (command, args) =>
      ask('POST', `${at}/execute/async`, {
        script:
          'const [c, a, done] = arguments; window.__TAURI_INTERNALS__.invoke(c, a).then(done, (e) => done({ error: String(e) }))',
        args: [command, args],
      }),
    says: (text) =>
      patiently(() => run('return document.body.innerText.includes(arguments[0])', text), text),
    async take(name) {
      writeFileSync(join(folder, `${name}.png`), await ask('GET', `${at}/screenshot`), 'base64');
      console.log(name);
    },
    end: () => ask('DELETE', at),
  };
}

async function themes(window, name, page) {
  const preferences = await window.call('preferences', {});
  for (const theme of ['light', 'dark']) {
    await window.call('save_preferences', { preferences: { ...preferences, theme } });
    await patiently(
      () => window.run('return document.documentElement.dataset.theme === arguments[0]', theme),
      theme,
    );
    await window.run('location.hash = arguments[0]', page);
    await sleep(1500);
    await window.take(`${name}-${theme}`);
  }
}

try {
  const first = await session([]);
  await first.size(520, 720);
  await first.says('Try the demo');
  await themes(first, 'welcome', '#/');
  await first.end();

  const window = await session(['demo']);
  await window.size(1040, 840);
  await window.says('Everything is healthy');
  await themes(window, 'settings', '#/settings');
  await themes(window, 'preferences', '#/settings/appearance');
  await themes(window, 'overview', '#/');
  await themes(window, 'form', '#/settings/services/api-gateway');
  await window.says('Test now');
  await window.run(
    "[...document.querySelectorAll('button')].find((b) => b.innerText.startsWith('Test now')).click()",
  );
  await window.says('Test again');
  await themes(window, 'form-tested', '#/settings/services/api-gateway');
  await window.run("location.hash = '#/'");
  await window.says('PostgreSQL is down');
  await sleep(12000);
  await themes(window, 'overview-outage', '#/');
  await themes(window, 'incidents', '#/incidents');
  const { head } = await window.call('overview', {});
  await themes(window, 'incident', `#/incident/${head.incidents[0].id}`);
  await themes(window, 'service', '#/service/elasticsearch');
  await window.size(400, 840);
  await themes(window, 'overview-narrow', '#/');
  await window.end();
} finally {
  webDriver.kill();
}
