// SPDX-License-Identifier: MIT
//
// The map: a canvas with a square for each cell, a cursor that mouse and keys move, and what the
// cell under it is, in words. Cells whose contents have changed since the last picture are framed.
import { bytesText, colour, shareText } from './words.js';

const LOOKS = ['nothing', 'free, returned to the kernel', 'free, kept for reuse', 'blocks',
               'objects that may move', 'large block'];
const [NOTHING, RETURNED, CACHED, BLOCKS, OBJECTS] = [0, 1, 2, 3, 4];
const LEVELS = 16, SIZES = [18, 16, 14, 12, 10, 8, 7, 6, 5, 4, 3], TALLEST = 400, GAP_FROM = 5;

const numbersOf = text => text.match(/[\d.]+/g).slice(0, 3).map(Number);

function ramp(name) {
  const from = numbersOf(colour(`--${name}-0`)), to = numbersOf(colour(`--${name}-1`));
  return Array.from({ length: LEVELS }, (_, level) =>
    `rgb(${from.map((part, i) => Math.round(part + (to[i] - part) * level / (LEVELS - 1))).join(' ')})`);
}

function coloursNow() {
  const flat = name => new Array(LEVELS).fill(colour(name));
  return { looks: [flat('--grid'), flat('--returned'), flat('--cached'), ramp('blocks'),
                   ramp('objects'), flat('--large')],
           frame: colour('--ink'), pin: colour('--pin') };
}

export class HeapMap {
  constructor(canvas, mark, details, table) {
    Object.assign(this, { canvas, mark, details, table, context: canvas.getContext('2d') });
    this.cells = [];
    this.cursor = -1;
    this.changed = new Set();
    canvas.addEventListener('pointermove', event => this.point(event));
    canvas.addEventListener('focus', () => this.select(Math.max(this.cursor, 0)));
    canvas.addEventListener('keydown', event => this.press(event));
    new ResizeObserver(() => requestAnimationFrame(() => this.draw())).observe(canvas.parentElement);
  }

  show(map) {
    const before = this.map, used = this.used;
    this.map = map;
    this.used = map.used;
    this.pins = new Map(map.pins);
    this.changed = new Set();
    // Cells can be compared if they are of the same addresses.
    if (before && before.cell_bytes === map.cell_bytes) {
      const count = Math.min(used.length, map.used.length);
      for (let i = 0; i < count; i++) {
        const isOther = before.looks[i] !== map.looks[i];
        if (isOther || Math.abs(used[i] - map.used[i]) * LEVELS > map.cell_bytes) this.changed.add(i);
      }
    }
    this.draw();
    this.fillTable();
    // What has changed under the cursor is not read aloud each time.
    if (this.cursor >= 0) this.select(this.cursor, 'off');
  }

  layOut() {
    const width = Math.max(120, this.canvas.parentElement.clientWidth), count = this.used.length;
    const ratio = window.devicePixelRatio || 1;
    this.size = SIZES.find(size => Math.ceil(count / Math.floor(width / size)) * size <= TALLEST)
      || SIZES[SIZES.length - 1];
    this.columns = Math.floor(width / this.size);
    this.rows = Math.max(1, Math.ceil(count / this.columns));
    this.canvas.width = Math.round(width * ratio);
    this.canvas.height = Math.round(this.rows * this.size * ratio);
    this.canvas.style.height = `${this.rows * this.size}px`;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  draw() {
    if (!this.map) return;
    this.layOut();
    const { context, size, columns, map } = this, colours = coloursNow();
    const side = size - (size >= GAP_FROM ? 1 : 0);
    for (let i = 0; i < this.used.length; i++) {
      const x = i % columns * size, y = Math.floor(i / columns) * size;
      const level = Math.min(LEVELS - 1, Math.round(this.used[i] / map.cell_bytes * (LEVELS - 1)));
      context.fillStyle = colours.looks[map.looks[i]][level];
      context.fillRect(x, y, side, side);
      if (this.pins.has(i)) {
        const dot = Math.max(2, Math.round(side / 2)), inset = (side - dot) / 2;
        context.fillStyle = colours.pin;
        context.fillRect(x + inset, y + inset, dot, dot);
      }
    }
    context.strokeStyle = colours.frame;
    context.globalAlpha = .6;
    for (const i of this.changed) {
      context.strokeRect(i % columns * size + .5, Math.floor(i / columns) * size + .5, side - 1, side - 1);
    }
    context.globalAlpha = 1;
  }

  // The addresses of a cell. Those that the heap has never used are left out of the map.
  addressOf(cell) {
    let offset = cell * this.map.cell_bytes;
    for (const [start, bytes] of this.map.stretches) {
      if (offset < bytes) return '0x' + (BigInt(start) + BigInt(offset)).toString(16);
      offset -= bytes;
    }
    return '';
  }

  textOf(cell) {
    const look = Number(this.map.looks[cell]), pins = this.pins.get(cell);
    const words = [`${this.addressOf(cell)}, ${bytesText(this.map.cell_bytes)}: ${LOOKS[look]}`];
    if (look >= BLOCKS) words.push(`${shareText(this.used[cell] / this.map.cell_bytes)} in use`);
    if (pins) words.push(`${pins} pinned`);
    return words.join(', ');
  }

  select(cell, live = 'polite') {
    if (!this.map || this.used.length === 0) return;
    this.cursor = Math.max(0, Math.min(this.used.length - 1, cell));
    const { size, columns, cursor } = this, outer = Math.max(size, 6) + 4;
    Object.assign(this.mark.style, { display: 'block', width: `${outer}px`, height: `${outer}px`,
      left: `${cursor % columns * size + (size - outer) / 2}px`,
      top: `${Math.floor(cursor / columns) * size + (size - outer) / 2}px` });
    this.details.setAttribute('aria-live', live);
    const text = this.textOf(cursor);
    if (this.details.textContent !== text) this.details.textContent = text;
  }

  point(event) {
    if (!this.map) return;
    const box = this.canvas.getBoundingClientRect();
    const column = Math.floor((event.clientX - box.left) / this.size);
    const cell = Math.floor((event.clientY - box.top) / this.size) * this.columns + column;
    if (column >= 0 && column < this.columns && cell >= 0 && cell < this.used.length) this.select(cell);
  }

  press(event) {
    if (!this.map || event.ctrlKey || event.altKey || event.metaKey) return;
    const page = this.columns * Math.max(1, Math.floor(this.rows / 8)), count = this.used.length;
    const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns,
                   PageDown: page, PageUp: -page, Home: -count, End: count }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.select(this.cursor + step);
  }

  fillTable() {
    const bytes = this.map.bytes_by_look;
    const rows = [OBJECTS, BLOCKS, 5, CACHED, RETURNED].map(look =>
      [LOOKS[look], bytesText(bytes[look]), shareText(bytes[look] / Math.max(1, this.map.bytes))]);
    const live = this.used.reduce((sum, one) => sum + one, 0);
    rows.push(['of these in use', bytesText(live), shareText(live / Math.max(1, this.map.bytes))]);
    this.table(rows);
  }
}
