// SPDX-License-Identifier: MIT
//
// Opens a page of `mend map --html` in headless Chromium and looks at it as people do: pixels,
// words, the mouse, the keyboard, both themes. What it must say comes from the snapshots, which are
// read here once more, and from what the program that wrote them has printed itself.
//
// usage: node page.mjs PAGE SCREENSHOTS SNAPSHOT [AFTER FIGURES]
//        FIGURES: the program's line of JSON; the environment has CHROMIUM, the browser
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const [page_path, folder, ...inputs] = process.argv.slice(2);
const snapshots = inputs.slice(0, 2).map(readSnapshot);
const figures = inputs.length > 2 ? JSON.parse(inputs[2]) : null;
const states = snapshots.length === 2 ? ['Before', 'After'] : ['Heap'];

function readSnapshot(path) {
  const snapshot = { figures: {}, pages: [] };
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const words = line.split(' ');
    if (words[0] === 'page') {
      const [start, bytes, kind, block, capacity, carved, used, resident, owner] = words.slice(1);
      snapshot.pages.push({ start: BigInt(start), bytes: BigInt(bytes), kind, block: Number(block),
        capacity: Number(capacity), used: Number(used), resident: Number(resident), owner,
        pins: 0 });
    } else if (words[0] === 'pin') {
      const page = pageAt(snapshot, BigInt(words[1]));
      if (page) page.pins++;
    } else if (words.length === 2) {
      snapshot.figures[words[0]] = words[1];
    }
  }
  return snapshot;
}

function pageAt(snapshot, address) {
  return snapshot.pages.find(page => page.start <= address && address < page.start + page.bytes);
}

// ---- What the page says. ----

// The figure as it was in the file, and its text.
async function figureOf(browserPage, table, name, column) {
  const data = browserPage.locator(`${table} [data-figure="${name}"]`).nth(column);
  return { value: await data.getAttribute('value'), text: await data.textContent() };
}

async function checkFigures(browserPage) {
  for (const [column, snapshot] of snapshots.entries()) {
    for (const name of ['fragmentation.external', 'fragmentation.heap', 'fragmentation.all_in',
                        'fragmentation.objects', 'fragmentation.resident_bytes',
                        'process_resident_bytes', 'stats.live_bytes']) {
      const figure = await figureOf(browserPage, '#figures', name, column);
      assert.equal(figure.value, snapshot.figures[name], name);
      assert.notEqual(figure.text, '-', name);
    }
    const share = await figureOf(browserPage, '.tiles', 'fragmentation.external', column);
    assert.equal(share.text, percent(snapshot.figures['fragmentation.external']));
  }
}

const percent = share => `${(100 * Number(share)).toFixed(2)} %`;

// The program's own numbers, not those of the snapshot.
async function checkReport(browserPage) {
  const number = async name => (await figureOf(browserPage, '#report', `report.${name}`, 0));
  for (const name of ['nanoseconds', 'objects_moved', 'bytes_moved', 'pages_emptied',
                      'bytes_freed', 'vetoed', 'pinned']) {
    assert.equal((await number(name)).value, String(figures[name]), name);
  }
  for (const [column, moment] of ['before', 'after'].entries()) {
    for (const level of ['external', 'heap', 'all_in']) {
      const said = await number(`${moment}.${level}`);
      assert.equal(Number(said.value), figures[moment][level], `${moment}.${level}`);
      assert.equal(said.text, percent(figures[moment][level]));
      const seen = await figureOf(browserPage, '#figures', `fragmentation.${level}`, column);
      assert.equal(Number(seen.value), figures[moment][level], `${level}, ${moment}`);
    }
  }
  assert.ok(figures.before.external > 0.8 && figures.after.external < 0.3);
  const moved = (await number('objects_moved')).text;
  assert.equal(moved, figures.objects_moved.toLocaleString('en-US'));
}

// ---- What is drawn. ----

// How many pixels of a map have each colour.
function coloursOf(browserPage, number) {
  return browserPage.evaluate(id => {
    const { width, height } = document.getElementById(id);
    const copy = Object.assign(document.createElement('canvas'), { width, height });
    const context = copy.getContext('2d', { willReadFrequently: true });
    context.drawImage(document.getElementById(id), 0, 0);
    const { data } = context.getImageData(0, 0, width, height);
    const counts = {};
    for (let i = 0; i < data.length; i += 4) {
      const colour = data.slice(i, i + 4).join(' ');
      counts[colour] = (counts[colour] || 0) + 1;
    }
    return counts;
  }, `map-${number}`);
}

function styleOf(browserPage, name) {
  return browserPage.evaluate(variable => {
    const hex = getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
    return [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16)).join(' ') + ' 255';
  }, name);
}

async function checkPixels(browserPage) {
  const returned = await styleOf(browserPage, '--returned');
  const pin = await styleOf(browserPage, '--pin');
  const large = await styleOf(browserPage, '--large');
  const share = [];
  for (const [number, snapshot] of snapshots.entries()) {
    const counts = await coloursOf(browserPage, number);
    const all = Object.values(counts).reduce((sum, count) => sum + count);
    assert.ok(Object.keys(counts).length > 5, `map ${number} is of one colour`);
    share.push((counts[returned] || 0) / all);
    const hasLarge = snapshot.pages.some(page => page.kind === 'large');
    const hasPins = snapshot.pages.some(page => page.pins > 0);
    assert.equal((counts[large] || 0) > 0, hasLarge, 'large blocks');
    assert.equal((counts[pin] || 0) > 0, hasPins, 'pins');
  }
  // Before the pass nothing has been returned, after it most has.
  if (figures) assert.ok(share[0] < 0.05 && share[1] > 0.3, `returned: ${share}`);
}

// ---- What the cursor tells. ----

async function detailsOf(browserPage) {
  return (await browserPage.locator('#details').textContent()).split('\n');
}

// The lines of one state; each state's first line begins with its name.
function linesOf(lines, state) {
  const from = lines.findIndex(line => line.startsWith(`${state}: `));
  const end = lines.findIndex((line, i) => i > from && states.some(other =>
    line.startsWith(`${other}: `)));
  return from < 0 ? [] : lines.slice(from, end < 0 ? lines.length : end);
}

function assertTold(lines, state, page) {
  const address = '0x' + page.start.toString(16);
  const line = linesOf(lines, state).find(text => text.includes(`${address},`) &&
    (page.kind === 'free' ? /free/.test(text) : !/free/.test(text)));
  assert.ok(line, `${state}: nothing is told of ${address}:\n${lines.join('\n')}`);
  if (page.kind === 'list' || page.kind === 'bitmap') {
    assert.ok(line.includes(`${page.used} of ${page.capacity} in use`), line);
    const share = (100 * page.used / page.capacity).toFixed(1);
    assert.ok(line.includes(`(${share} %)`), line);
    assert.ok(page.block >= 1024 || line.includes(`of ${page.block} B,`), line);
    const [word, number] = page.owner.split(':');
    assert.ok(line.includes(word === 'handles' ? `handle heap ${number}` : number), line);
    assert.equal(/objects/.test(line), word === 'handles' || word === 'still', line);
  }
  assert.equal(line.includes(' pinned'), page.pins > 0, line);
  if (page.pins > 0) assert.ok(line.includes(`${page.pins} pinned`), line);
}

// A pinned page, a page of other blocks, a large block, the fullest page and the last free run.
function chosenPages() {
  const last = snapshots[snapshots.length - 1].pages;
  const objects = last.filter(page => page.owner.startsWith('handles:'));
  const fullest = objects.reduce((most, page) =>
    page.used / page.capacity > most.used / most.capacity ? page : most);
  return [objects.find(page => page.pins > 0), last.find(page => page.owner.startsWith('thread:')),
          last.find(page => page.kind === 'large'), fullest,
          last.findLast(page => page.kind === 'free')].filter(page => page);
}

// By the address field, then by the mouse at the place where the cursor has gone.
async function checkCursor(browserPage) {
  const number = snapshots.length - 1;
  const chosen = chosenPages();
  assert.ok(chosen.length >= 4);
  for (const page of chosen) {
    const place = '0x' + page.start.toString(16);
    await browserPage.locator('#address').fill(place);
    await browserPage.locator('#address').press('Enter');
    const byAddress = await detailsOf(browserPage);
    assertTold(byAddress, states[number], page);
    for (const [other, snapshot] of snapshots.entries()) {
      const same = pageAt(snapshot, page.start);
      if (same && same.start === page.start) assertTold(byAddress, states[other], same);
    }
    const box = await browserPage.locator('.mark').nth(number).boundingBox();
    await browserPage.mouse.move(0, 0);
    await browserPage.locator(`#map-${number}`).press('Home');
    await browserPage.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
    const byMouse = await detailsOf(browserPage);
    const told = await browserPage.locator('#details').boundingBox();
    assert.ok(told.y >= 0 && told.y + told.height <= 900, 'what is told is out of sight');
    assert.deepEqual([...byMouse].sort(), [...byAddress].sort());
  }
}

async function checkKeyboard(browserPage) {
  const canvas = browserPage.locator('#map-0');
  await canvas.focus();
  await canvas.press('Home');
  const first = await detailsOf(browserPage);
  assertTold(first, states[0], snapshots[0].pages[0]);
  await canvas.press('ArrowRight');
  assert.notDeepEqual(await detailsOf(browserPage), first);
  await canvas.press('ArrowLeft');
  assert.deepEqual(await detailsOf(browserPage), first);
  await canvas.press('End');
  assert.notDeepEqual(await detailsOf(browserPage), first);
  await canvas.press('ArrowRight');  // there is nothing behind it
  assert.ok((await detailsOf(browserPage))[0].startsWith(`${states[0]}: `));
}

async function checkUnits(browserPage) {
  const units = browserPage.locator('#unit');
  const chosen = await units.inputValue();
  const values = await units.locator('option').evaluateAll(all => all.map(one => one.value));
  assert.ok(values.includes(chosen) && values.length > 3);
  const fine = Object.keys(await coloursOf(browserPage, 0)).length;
  await units.selectOption(values[values.length - 1]);
  assert.ok(Object.keys(await coloursOf(browserPage, 0)).length > 1);
  await units.selectOption(chosen);
  assert.equal(Object.keys(await coloursOf(browserPage, 0)).length, fine);
}

// ---- Accessibility: names, and text that can be read. ----

function luminance(colour) {
  const parts = colour.match(/[\d.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
  return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
}

async function checkContrast(browserPage) {
  const pairs = await browserPage.evaluate(() =>
    ['h1', '.source', '.tile h3', '.tile .now', 'tbody th', 'td', '#details', '.hint', 'footer']
      .map(selector => {
        const element = document.querySelector(selector);
        let behind = element;
        const isClear = at => getComputedStyle(at).backgroundColor === 'rgba(0, 0, 0, 0)';
        while (behind.parentElement && isClear(behind)) behind = behind.parentElement;
        return [selector, getComputedStyle(element).color, getComputedStyle(behind).backgroundColor];
      }));
  for (const [selector, ink, paper] of pairs) {
    const [low, high] = [luminance(ink), luminance(paper)].sort((a, b) => a - b);
    const contrast = (high + 0.05) / (low + 0.05);
    assert.ok(contrast >= 4.5, `${selector}: contrast ${contrast.toFixed(2)}`);
  }
}

async function checkNames(browserPage) {
  for (const [number, state] of states.entries()) {
    const canvas = browserPage.locator(`#map-${number}`);
    assert.ok((await canvas.getAttribute('aria-label')).startsWith(state));
    assert.equal(await canvas.getAttribute('tabindex'), '0');
  }
  assert.deepEqual(await browserPage.locator('.panel h2').allTextContents(), states);
  assert.equal(await browserPage.locator('#details').getAttribute('aria-live'), 'polite');
}

// ---- ----

async function checkTheme(browser, colorScheme) {
  const errors = [], requests = [];
  const context = await browser.newContext({ colorScheme, viewport: { width: 1280, height: 900 } });
  const browserPage = await context.newPage();
  browserPage.on('console', message => errors.push(message.text()));
  browserPage.on('pageerror', error => errors.push(String(error)));
  browserPage.on('request', request => requests.push(request.url()));
  await browserPage.goto(pathToFileURL(page_path).href);
  await checkNames(browserPage);
  await checkPixels(browserPage);
  await checkFigures(browserPage);
  if (figures) await checkReport(browserPage);
  await checkKeyboard(browserPage);
  await checkCursor(browserPage);
  await checkUnits(browserPage);
  await checkContrast(browserPage);
  await browserPage.screenshot({ path: `${folder}/map-${colorScheme}.png`, fullPage: true });
  await browserPage.setViewportSize({ width: 420, height: 800 });  // stacked, and nothing sticks out
  await checkPixels(browserPage);
  // It lays itself out anew, which takes as long as it takes.
  await browserPage.waitForFunction(() =>
    document.documentElement.scrollWidth <= document.documentElement.clientWidth).catch(() => {});
  const overflow = await browserPage.evaluate(() =>
    document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(overflow <= 0, `${overflow} pixels too wide`);
  await browserPage.screenshot({ path: `${folder}/map-${colorScheme}-narrow.png`, fullPage: true });
  const paper = await browserPage.evaluate(() => getComputedStyle(document.body).backgroundColor);
  assert.equal(luminance(paper) < 0.2, colorScheme === 'dark', `the ${colorScheme} page is ${paper}`);
  assert.deepEqual(errors, []);
  assert.deepEqual(requests.filter(url => !/^(file|data):/.test(url)), []);
  await context.close();
  console.log(`ok    ${states.join(', ')}, ${colorScheme}`);
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, headless: true,
  args: process.getuid() === 0 ? ['--no-sandbox'] : [] });
try {
  for (const theme of ['light', 'dark']) await checkTheme(browser, theme);
} finally {
  await browser.close();
}
