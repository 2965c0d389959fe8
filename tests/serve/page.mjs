// SPDX-License-Identifier: MIT
//
// The page of `mend serve` in headless Chromium, as people use it: what it shows is held against
// what the process says of itself while that stands still; then the heap changes, and the page must
// within three pictures; the mouse, the keyboard, tables, themes, contrast, names; 8 GiB.
//
// usage: node page.mjs MEND TARGET SCREENSHOTS      the environment has CHROMIUM, the browser
import assert from 'node:assert/strict';
import { chromium } from '../browser/node_modules/playwright-core/index.mjs';
import { Server, Target, rest, until } from './processes.mjs';

const [mend, program, folder] = process.argv.slice(2);
const [RETURNED, CACHED, BLOCKS, OBJECTS, LARGE] = [1, 2, 3, 4, 5];
const sum = numbers => numbers.reduce((total, number) => total + number, 0);

const picture = page => page.evaluate(() => window.mendPage.picture);
const pictures = page => page.evaluate(() => (window.mendPage ? window.mendPage.pictures : 0));

// The next picture that was taken by a look that had not begun yet.
async function nextPicture(page) {
  const last = (await picture(page))?.samples.last ?? 0;
  return until('another picture', async () => {
    const now = await picture(page);
    return now && now.samples.last >= last + 2 && now;
  });
}

async function open(browser, server, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage(), problems = [];
  page.on('console', message => problems.push(message.text()));
  page.on('pageerror', error => problems.push(String(error)));
  page.on('request', request => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.host !== server.url.host) problems.push(request.url());
  });
  await page.goto(server.url.href);
  await until('a first picture', async () => await pictures(page) > 0);
  assert.equal(page.url(), `http://${server.url.host}/`, 'the token stays in the address');
  return { context, page, problems };
}

// ---- What is shown is what is there. ----

async function checkSame(page, target) {
  const said = JSON.parse(await target.tell('stats')), { totals, map } = await nextPicture(page);
  for (const name of Object.keys(said)) {
    const seen = name === 'free_bytes' ? totals.free_bytes + totals.cached_bytes : totals[name];
    assert.equal(seen, said[name], name);
  }
  // The cells come to the same: what is used in them, and how much there is of each kind.
  const used = sum(map.used), slack = map.used.length;
  assert.ok(Math.abs(used - said.live_bytes - totals.cached_bytes) <= slack, `used: ${used}`);
  const inUse = sum([BLOCKS, OBJECTS, LARGE].map(look => map.bytes_by_look[look]));
  const rows = said.live_bytes + said.free_bytes + said.uncarved_bytes + said.rest_bytes;
  assert.equal(inUse, rows, 'pages in use');
  assert.equal(sum(map.bytes_by_look), map.bytes);
  assert.equal(sum(map.stretches.map(([, bytes]) => bytes)), map.bytes);
  assert.equal(map.looks.length, map.used.length);
  return said;
}

// What people read.
async function checkTiles(page, said) {
  const tile = name => page.locator(`[data-total="${name}"]`).textContent();
  const text = bytes => page.evaluate(async number => (await import('/words.js')).bytesText(number), bytes);
  assert.equal(await tile('live_bytes'), await text(said.live_bytes));
  assert.equal(await tile('retained_bytes'), await text(said.retained_bytes));
  assert.match(await tile('fragmentation'), /^\d+\.\d %$/);
  assert.equal(await page.locator('#state').textContent(), 'live');
  assert.ok((await page.title()).startsWith('Heap of target,'));
}

// How many pixels of the map have each colour.
function coloursOf(page) {
  return page.evaluate(() => {
    const canvas = document.getElementById('map');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    const counts = {};
    for (let i = 0; i < data.length; i += 4) {
      const colour = `rgb(${data[i]}, ${data[i + 1]}, ${data[i + 2]})`;
      counts[colour] = (counts[colour] || 0) + 1;
    }
    return counts;
  });
}

const styleOf = (page, name) => page.evaluate(async variable =>
  (await import('/words.js')).colour(variable), name);

async function checkPixels(page) {
  const counts = await coloursOf(page), { map } = await picture(page);
  for (const [look, name] of [[LARGE, '--large'], [RETURNED, '--returned'], [CACHED, '--cached']]) {
    assert.equal((counts[await styleOf(page, name)] || 0) > 0, map.looks.includes(String(look)), name);
  }
  assert.equal((counts[await styleOf(page, '--pin')] || 0) > 0, map.pins.length > 0, 'pins');
  assert.ok(Object.keys(counts).length > 5, 'the map is of one colour');
}

// ---- It changes when the heap does. ----

// What the target does is shown by the third picture, or by the fourth look: whichever of the two,
// the page or the server, has had less of a busy machine.
async function showsSoon(page, target, word, what, isSo) {
  await target.tell(word);
  const [count, { samples: { last } }] = [await pictures(page), await picture(page)];
  const shown = await until(what, async () => {
    const now = await picture(page);
    return isSo(now) && now;
  });
  const [more, looks] = [await pictures(page) - count, shown.samples.last - last];
  assert.ok(more <= 3 || looks <= 4, `${what}: shown after ${more} pictures, ${looks} looks`);
  return shown;
}

async function checkLive(page, target) {
  const before = await nextPicture(page), objects = now => now.map.bytes_by_look[OBJECTS];
  const thinned = await showsSoon(page, target, 'thin', 'less is live', now =>
    now.totals.live_bytes < before.totals.live_bytes * .8);
  assert.ok(thinned.totals.fragmentation > before.totals.fragmentation + .2, 'fragmentation has grown');
  const packed = await showsSoon(page, target, 'pack', 'objects are packed', now =>
    objects(now) < objects(thinned) * .5);
  assert.ok(packed.totals.fragmentation < thinned.totals.fragmentation);
  const shown = packed.totals.live_bytes;
  assert.ok(Math.abs(shown - thinned.totals.live_bytes) < shown / 20, 'packing loses nothing');
}

// ---- Keys, tables, pause. ----

const detailsOf = page => page.locator('#details').textContent();

async function checkMapKeys(page) {
  const map = page.locator('#map');
  await map.focus();
  await map.press('Home');
  const first = await detailsOf(page);
  const { map: { stretches } } = await picture(page);
  assert.ok(first.startsWith(`${stretches[0][0]}, `), first);
  await map.press('ArrowRight');
  assert.notEqual((await detailsOf(page)).split(',')[0], first.split(',')[0]);
  await map.press('ArrowLeft');
  assert.equal((await detailsOf(page)).split(',')[0], first.split(',')[0]);
  await map.press('End');
  const last = await detailsOf(page);
  await map.press('ArrowDown');
  assert.equal((await detailsOf(page)).split(',')[0], last.split(',')[0], 'there is nothing behind the end');
  const told = () => page.locator('#details').getAttribute('aria-live');
  await nextPicture(page);
  assert.equal(await told(), 'off', 'each picture is read aloud');
  await until('moves are read aloud', async () => {
    await map.press('Home');
    return await told() === 'polite';  // unless a picture came in between
  });
  await map.press('End');
  const box = await map.boundingBox();
  await page.mouse.move(box.x + 3, box.y + 3);
  assert.equal((await detailsOf(page)).split(',')[0], first.split(',')[0], 'the mouse');
}

async function checkTables(page) {
  for (const id of ['map-table', 'memory-table', 'fragmentation-table']) {
    const table = page.locator(`#${id}`);
    await page.locator(`details:has(#${id}) > summary`).press('Enter');
    await until(`${id} is filled`, async () => await table.locator('tbody tr').count() > 1);
    assert.ok(await table.locator('thead th[scope=col]').count() >= 2, id);
    assert.ok(await table.locator('tbody th[scope=row]').count() > 1, id);
  }
  const rows = await page.locator('#classes-table tbody tr').count();
  assert.equal(rows, (await picture(page)).classes.length);
}

async function checkPause(page) {
  const pause = page.locator('#pause');
  // A picture that was asked for before comes late.
  let release;
  const held = new Promise(done => { release = done; });
  await page.route('**/api/state*', async route => {
    await held;
    await route.continue();
  });
  const asked = page.waitForRequest('**/api/state*');
  const late = page.waitForResponse('**/api/state*');
  await asked;
  await pause.press('Space');
  release();
  await (await late).finished();
  await page.unroute('**/api/state*');
  assert.equal(await pause.getAttribute('aria-pressed'), 'true');
  await rest(600);
  assert.equal(await page.locator('#state').textContent(), 'paused');
  const count = await pictures(page);
  await rest(1500);
  assert.equal(await pictures(page), count, 'pictures come though it is paused');
  await pause.press('Enter');
  await nextPicture(page);
  assert.equal(await page.locator('#state').textContent(), 'live');
}

// ---- Who holds the memory. ----

async function checkSites(page, server) {
  await until('a profile', async () => (await (await server.get('/api/sites')).json()).profile);
  const bars = page.locator('#flame > div');
  await until('bars', async () => await bars.count() > 2);
  const names = await bars.allTextContents();
  assert.ok(names.some(name => name.startsWith('fill_blocks')), `no fill_blocks among ${names}`);
  const flame = page.locator('#flame'), told = page.locator('#flame-details');
  await flame.focus();
  assert.match(await told.textContent(), /^all: .*, 100\.0 %$/);
  await flame.press('ArrowDown');
  const chosen = await told.textContent();
  assert.ok(!chosen.startsWith('all: '));
  await flame.press('ArrowUp');
  assert.match(await told.textContent(), /^all: /);
  await page.locator('#sites-behind > summary').press('Enter');
  await until('the table of sites', async () => await page.locator('#sites-table tbody tr').count() > 0);
}

// What is resident, line by line: they add up, and are all on the page.
async function checkLines(page, server) {
  const { lines, figures } = await until('statistics', async () => {
    const stats = await (await server.get('/api/stats')).json();
    return stats.lines && stats;
  });
  assert.equal(sum(Object.values(lines)), figures.resident_bytes);
  const rows = page.locator('#lines-table tbody tr');
  await until('the lines', async () =>
    await rows.count() === Object.values(lines).filter(bytes => bytes > 0).length);
  assert.match(await page.locator('#lines-text').textContent(), /^The heap holds \d/);
}

// ---- For everybody: names, order, contrast. ----

function luminance(colour) {
  const parts = colour.match(/[\d.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
}

function contrast(one, other) {
  const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}

async function checkContrast(page) {
  const pairs = await page.evaluate(() =>
    [...document.querySelectorAll('h1, h2, p, dt, dd, li, th, td, button, select, label, summary, a, #flame > div')]
      .filter(element => element.offsetParent && element.textContent.trim()).map(element => {
        let behind = element;
        const isClear = at => getComputedStyle(at).backgroundColor === 'rgba(0, 0, 0, 0)';
        while (behind.parentElement && isClear(behind)) behind = behind.parentElement;
        return [element.outerHTML.slice(0, 80), getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
      }));
  assert.ok(pairs.length > 50);
  for (const [what, ink, paper] of pairs) {
    assert.ok(contrast(ink, paper) >= 4.5, `${what}: contrast ${contrast(ink, paper).toFixed(2)}`);
  }
  // Lines and looks against what they are drawn on.
  for (const name of ['--line-resident', '--line-held', '--line-live', '--line-retained', '--accent', '--pin']) {
    const against = contrast(await styleOf(page, name), await styleOf(page, '--card'));
    assert.ok(against >= 3, `${name}: contrast ${against.toFixed(2)}`);
  }
}

async function checkNames(page) {
  const found = await page.evaluate(() => {
    const ids = [...document.querySelectorAll('[id]')].map(element => element.id);
    const labelled = [...document.querySelectorAll('[aria-labelledby], [aria-describedby]')].flatMap(element =>
      `${element.getAttribute('aria-labelledby') ?? ''} ${element.getAttribute('aria-describedby') ?? ''}`.trim().split(' '));
    const nameless = [...document.querySelectorAll('button, select, a, summary, [role=application]')].filter(element =>
      !element.textContent.trim() && !element.getAttribute('aria-label') && !element.labels?.length);
    const headings = [...document.querySelectorAll('h1, h2, h3')].map(element => Number(element.tagName[1]));
    return { twice: ids.filter((id, i) => ids.indexOf(id) !== i), nameless: nameless.map(element => element.outerHTML),
             dangling: labelled.filter(id => !ids.includes(id)), headings, lang: document.documentElement.lang,
             live: [...document.querySelectorAll('[role=status]')].every(one => one.getAttribute('aria-live') === 'polite') };
  });
  assert.deepEqual([found.twice, found.nameless, found.dangling], [[], [], []]);
  assert.equal(found.lang, 'en');
  assert.ok(found.live && found.headings[0] === 1 && found.headings.slice(1).every(level => level === 2));
  for (const landmark of ['header', 'main', 'footer']) assert.equal(await page.locator(landmark).count(), 1);
}

// The order in which the tab key goes through the page, and that it is seen where it is.
async function checkTabs(page) {
  const seen = [];
  assert.equal(await page.evaluate(() => document.querySelector('a, button, [tabindex]').className), 'skip');
  await page.locator('.skip').focus();
  for (let i = 0; i < 6; i++) {
    await page.keyboard.press('Tab');
    seen.push(await page.evaluate(() => {
      const at = document.activeElement, style = getComputedStyle(at);
      return [at.id || at.className || at.tagName.toLowerCase(), style.outlineStyle];
    }));
  }
  assert.deepEqual(seen.map(([id]) => id), ['pause', 'theme', 'map', 'summary', 'summary', 'summary']);
  assert.ok(seen.every(([, outline]) => outline !== 'none'), `focus is not seen: ${seen}`);
}

async function checkTheme(page, scheme) {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const isDark = async () => luminance(await paper()) < .2;
  assert.equal(await isDark(), scheme === 'dark', await paper());
  for (const theme of ['light', 'dark', '']) {
    await page.locator('#theme').selectOption(theme);
    assert.equal(await isDark(), (theme || scheme) === 'dark', `theme '${theme}'`);
    await checkContrast(page);
  }
}

async function checkNarrow(page) {
  await page.setViewportSize({ width: 420, height: 800 });
  const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  await until('the page fits', async () => await overflow() <= 0);
  await page.screenshot({ path: `${folder}/narrow.png`, fullPage: true });
  await page.setViewportSize({ width: 1280, height: 900 });
}

// ---- ----

async function checkPage(browser) {
  const target = await Target.start(program);
  await target.tell('fill');
  const server = await Server.start(mend, target.pid, '--interval', '300ms');
  const { context, page, problems } = await open(browser, server, { colorScheme: 'light' });
  await checkTiles(page, await checkSame(page, target));
  await checkPixels(page);
  await checkSites(page, server);
  await checkLines(page, server);
  await checkLive(page, target);
  await checkSame(page, target);
  await checkNames(page);
  await checkTabs(page);
  await checkMapKeys(page);
  await checkTables(page);
  await checkPause(page);
  await checkTheme(page, 'light');
  await page.screenshot({ path: `${folder}/light.png`, fullPage: true });
  await checkNarrow(page);
  const dark = await open(browser, server, { colorScheme: 'dark' });
  await nextPicture(dark.page);
  await checkTheme(dark.page, 'dark');
  await dark.page.screenshot({ path: `${folder}/dark.png`, fullPage: true });
  await target.end('SIGKILL');
  await until('the end is told', async () => /has ended/.test(await page.locator('#state').textContent()));
  assert.deepEqual([...problems, ...dark.problems], []);
  await server.end('SIGTERM');
  await until('the loss is told', async () => /no answer/.test(await page.locator('#state').textContent()));
  await context.close();
  await dark.context.close();
  console.log('ok    the page');
}

async function checkHuge(browser) {
  const target = await Target.start(program);
  await target.tell('huge');
  const server = await Server.start(mend, target.pid);
  const { context, page, problems } = await open(browser, server);
  const said = await checkSame(page, target), { map, look_ms, totals } = await picture(page);
  assert.ok(said.live_bytes >= 8 * 2 ** 30 && totals.resident_bytes < 2 ** 30);
  assert.ok(map.used.length <= 6000, `${map.used.length} cells`);
  const first = await pictures(page);
  await until('more pictures', async () => await pictures(page) >= first + 3);
  await page.screenshot({ path: `${folder}/huge.png`, fullPage: true });
  assert.deepEqual(problems, []);
  await context.close();
  await server.end('SIGINT');
  await target.end('SIGKILL');
  console.log(`ok    8 GiB: ${map.used.length} cells, ${map.pages} pages, a look takes ${look_ms} ms`);
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true,
  args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
try {
  await checkPage(browser);
  await checkHuge(browser);
} finally {
  await browser.close();
}
process.exit(0);
