// SPDX-License-Identifier: MIT
//
// The page of `mend serve`: asks for a picture twice a second, or when the last answer has come,
// and shows it. What is drawn is also there as tables, which are filled while they are open.
import { Flame } from './flame.js';
import { HeapMap } from './map.js';
import { bytesText, colour, countText, shareText } from './words.js';

const POLL_MS = 400, RETRY_MS = 2000, SITES_MS = 5000, KEPT = 1200, ROWS = 12;
const byId = id => document.getElementById(id);

// Rows of words; the first of each is its head.
function fillRows(body, rows) {
  body.replaceChildren(...rows.map(cells => {
    const row = document.createElement('tr');
    cells.forEach((content, i) => {
      const cell = document.createElement(i === 0 ? 'th' : 'td');
      if (i === 0) cell.scope = 'row';
      cell.append(content);
      row.append(cell);
    });
    return row;
  }));
}

const isOpen = element => element.closest('details').open;

// ---- Over time. ----

const COLUMNS = ['time_ms', 'resident_bytes', 'live_bytes', 'held_bytes', 'retained_bytes', 'fragmentation'];
const history = Object.fromEntries(COLUMNS.map(name => [name, []]));
let last = 0;

function remember(samples) {
  last = samples.last;
  for (const name of COLUMNS) {
    history[name].push(...samples[name]);
    history[name].splice(0, history[name].length - KEPT);
  }
}

const SERIES = {
  memory: [['resident, of the process', 'resident_bytes', '--line-resident'],
           ['held by pages with blocks', 'held_bytes', '--line-held'],
           ['live blocks', 'live_bytes', '--line-live'],
           ['kept for reuse', 'retained_bytes', '--line-retained']],
  fragmentation: [['fragmentation', 'fragmentation', '--line-held']],
};
const timeText = seconds => new Date(seconds * 1000).toLocaleTimeString('en-GB');
const POWERS = Array.from({ length: 41 }, (_, i) => 2 ** (10 + i));
const textOf = { memory: bytesText, fragmentation: shareText };
const charts = {};

function chartOptions(name, width) {
  const text = textOf[name];
  const axis = { stroke: () => colour('--soft'), grid: { stroke: () => colour('--line'), width: 1 },
                 ticks: { stroke: () => colour('--line'), width: 1 } };
  return {
    width, height: 250, legend: { live: true }, cursor: { drag: { x: false, y: false } },
    scales: { y: { range: (_, __, most) => [0, name === 'memory' ? Math.max(most * 1.05, 1 << 20)
                                                                 : Math.max(most * 1.1, .1)] } },
    axes: [{ ...axis, space: 90, values: (_, times) => times.map(timeText) },
           { ...axis, size: 76, values: (_, values) => values.map(text),
             ...(name === 'memory' ? { incrs: POWERS } : {}) }],
    series: [{ label: 'time', value: (_, time) => time === null ? '-' : timeText(time) },
             ...SERIES[name].map(([label, , line]) => ({
      label, stroke: () => colour(line), width: 2, points: { show: false },
      value: (_, value) => value === null ? '-' : text(value) }))],
  };
}

function showCharts() {
  const seconds = history.time_ms.map(time => time / 1000);
  for (const [name, series] of Object.entries(SERIES)) {
    const place = byId(name), data = [seconds, ...series.map(([, column]) => history[column])];
    if (charts[name]) charts[name].setData(data);
    else charts[name] = new uPlot(chartOptions(name, place.clientWidth), data, place);
    if (isOpen(byId(`${name}-table`))) fillHistory(name, series);
  }
}

function fillHistory(name, series) {
  const table = byId(`${name}-table`), from = Math.max(0, history.time_ms.length - ROWS);
  if (!table.tHead) {
    const row = table.createTHead().insertRow();
    for (const label of ['Time', ...series.map(([text]) => text)]) {
      row.append(Object.assign(document.createElement('th'), { scope: 'col', textContent: label }));
    }
    table.createTBody();
  }
  const rows = history.time_ms.slice(from).map((time, i) =>
    [timeText(time / 1000),
     ...series.map(([, column]) => textOf[name](history[column][from + i]))]);
  fillRows(table.tBodies[0], rows.reverse());
}

// ---- The rest of the picture. ----

const TILES = [
  ['Live', 'live_bytes', 'blocks that the program holds'],
  ['Resident', 'resident_bytes', 'of the whole process'],
  ['Fragmentation', 'fragmentation', 'of what pages with blocks hold, no live block has it'],
  ['Free in pages', 'free_bytes', 'blocks in pages that are in use'],
  ['Kept for reuse', 'retained_bytes', 'free pages that hold memory'],
  ['Metadata', 'metadata_bytes', 'accessible for tables'],
];

function showTiles(totals) {
  const tiles = byId('tiles');
  if (!tiles.children.length) {
    for (const [label, name, what] of TILES) {
      const tile = document.createElement('div');
      const words = document.createElement('dt'), value = document.createElement('dd');
      words.textContent = label;
      value.dataset.total = name;
      tile.append(words, value, Object.assign(document.createElement('dd'),
                                              { className: 'what', textContent: what }));
      tiles.append(tile);
    }
  }
  for (const value of tiles.querySelectorAll('[data-total]')) {
    const { total } = value.dataset;
    const text = (total === 'fragmentation' ? shareText : bytesText)(totals[total]);
    if (value.textContent !== text) value.textContent = text;
  }
}

function useBar(share) {
  const bar = document.createElement('span'), fill = document.createElement('span');
  bar.className = 'use';
  bar.setAttribute('aria-hidden', 'true');
  fill.style.width = shareText(Math.min(1, share)).replace(' ', '');
  bar.append(fill);
  const cell = document.createDocumentFragment();
  cell.append(bar, ` ${shareText(share)}`);
  return cell;
}

function showClasses(classes) {
  const rows = classes.map(([size, pages, bytes, live, kept, free]) =>
    [bytesText(size), countText(live), countText(kept), countText(free), countText(pages),
     bytesText(bytes), useBar(live * size / Math.max(1, bytes))]);
  fillRows(byId('classes-table').tBodies[0], rows);
}

function tellState(state, text) {
  document.body.dataset.state = state;
  if (byId('state').textContent !== text) byId('state').textContent = text;
}

function show(picture) {
  const name = picture.program.split('/').pop() || 'a process';
  document.title = `Heap of ${name}, ${picture.pid}`;
  byId('title').textContent = `Heap of ${name}`;
  const torn = picture.totals.torn_count ? `; ${countText(picture.totals.torn_count)} pages changed while they were read` : '';
  byId('source').textContent = `process ${picture.pid}, ${picture.program}${torn}`;
  byId('version').textContent = picture.version;
  byId('cell-bytes').textContent = bytesText(picture.map.cell_bytes);
  remember(picture.samples);
  showTiles(picture.totals);
  showCharts();
  showClasses(picture.classes);
  map.show(picture.map);
  if (picture.is_live) tellState('live', 'live');
  else tellState('ended', 'the process has ended; this is its last picture');
}

// ---- What the process says of itself: what is resident, and who holds it. ----

function showLines(stats) {
  byId('lines-table').hidden = !stats.lines;
  if (!stats.lines) {
    byId('lines-text').textContent = stats.reason;
    return;
  }
  const total = stats.figures.resident_bytes;
  byId('lines-text').textContent =
    `The heap holds ${bytesText(total)} of memory, says the process, with its tables. It is made of these:`;
  const lines = Object.entries(stats.lines).filter(([, bytes]) => bytes > 0);
  fillRows(byId('lines-table').tBodies[0], lines.map(([name, bytes]) =>
    [stats.meanings[name] ?? name, bytesText(bytes), useBar(bytes / Math.max(1, total))]));
}

function showSites(sites) {
  const profile = sites.profile;
  for (const id of ['flame', 'flame-details', 'flame-keys', 'sites-behind']) byId(id).hidden = !profile;
  if (!profile) {
    byId('sites-text').textContent = sites.reason;
    return;
  }
  byId('sites-text').textContent = `${bytesText(profile.total)} in ${countText(profile.count)} live blocks, ` +
    (sites.interval ? `by samples of one block each ${bytesText(sites.interval)}.` : 'every block counted.');
  flame.show(profile.tree);
  if (isOpen(byId('sites-table'))) fillSites(profile.rows);
  lastSites = profile.rows;
}

function fillSites(rows) {
  fillRows(byId('sites-table').tBodies[0], rows.map(([bytes, count, leaf, caller]) =>
    [leaf, caller, bytesText(bytes), countText(count)]));
}

// ---- Asking. ----

const wait = ms => new Promise(done => setTimeout(done, ms));
const isPaused = () => byId('pause').getAttribute('aria-pressed') === 'true';

async function ask(path) {
  const answer = await fetch(path, { cache: 'no-store' });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// What tests look at: the last picture, and how many there were.
const mendPage = window.mendPage = { pictures: 0, picture: null };

async function follow() {
  for (;;) {
    let rest = POLL_MS;
    if (!isPaused()) {
      try {
        const picture = await ask(`/api/state?since=${last}`);
        if (isPaused()) continue;  // since it was asked for
        show(picture);
        mendPage.picture = picture;
        mendPage.pictures++;
        if (!picture.is_live) rest = SITES_MS;
      } catch (error) {
        if (isPaused()) continue;
        tellState('lost', 'no answer: has mend serve ended?');
        console.info(String(error));
        rest = RETRY_MS;
      }
    }
    await wait(rest);
  }
}

async function followSites() {
  for (;;) {
    let isPending = false;
    if (!isPaused() && !document.hidden) {
      try {
        const [sites, stats] = [await ask('/api/sites'), await ask('/api/stats')];
        showSites(sites);
        showLines(stats);
        isPending = sites.is_pending || stats.is_pending;
      } catch {
        // follow() tells it.
      }
    }
    await wait(isPending ? POLL_MS : SITES_MS);
  }
}

// ---- The page itself. ----

let lastSites = [];
const map = new HeapMap(byId('map'), byId('mark'), byId('details'),
                        rows => fillRows(byId('map-table').tBodies[0], rows));
const flame = new Flame(byId('flame'), byId('flame-details'));

function redraw() {
  map.draw();
  for (const [name, chart] of Object.entries(charts)) {
    chart.setSize({ width: byId(name).clientWidth, height: 250 });
    chart.redraw(false);
  }
}

function chooseTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId('theme').value = theme;
  redraw();
}

byId('pause').addEventListener('click', () => {
  const isNow = !isPaused();
  byId('pause').setAttribute('aria-pressed', String(isNow));
  if (isNow) tellState('paused', 'paused');
});
byId('theme').addEventListener('change', () => {
  localStorage.setItem('theme', byId('theme').value);
  chooseTheme(byId('theme').value);
});
for (const [name, series] of Object.entries(SERIES)) {
  byId(`${name}-table`).closest('details').addEventListener('toggle', () => fillHistory(name, series));
}
byId('sites-behind').addEventListener('toggle', () => fillSites(lastSites));
window.matchMedia('(prefers-color-scheme: dark)').addEventListener('change', redraw);
window.addEventListener('resize', () => requestAnimationFrame(redraw));
chooseTheme(localStorage.getItem('theme') || '');
follow();
followSites();
