// SPDX-License-Identifier: MIT
//
// A flame graph: a bar for each call, as wide as the bytes that are live below it, callers above
// what they call. Keys and the mouse choose a bar; Enter or a click enlarges it.
import { bytesText, shareText } from './words.js';

const BAR = 21, NARROWEST = 3;

// One of four colours by the name, so that a function keeps its colour.
function kindOf(name) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = (hash * 31 + name.charCodeAt(i)) >>> 0;
  return hash % 4;
}

// Names on the way to a node, which find it again in the next profile.
const pathOf = node => (node.parent ? [...pathOf(node.parent), node.name] : []);

function follow(root, path) {
  let node = root;
  for (const name of path) {
    const child = node.children.find(one => one.name === name);
    if (!child) break;
    node = child;
  }
  return node;
}

function adopt(node) {
  node.children.sort((one, other) => other.value - one.value);
  for (const child of node.children) {
    child.parent = node;
    adopt(child);
  }
}

export class Flame {
  constructor(place, details) {
    Object.assign(this, { place, details });
    place.addEventListener('keydown', event => this.press(event));
    place.addEventListener('focus', () => this.tell());
    new ResizeObserver(() => requestAnimationFrame(() => this.draw())).observe(place.parentElement);
  }

  show(tree) {
    adopt(tree);
    const zoomed = this.zoomed ? pathOf(this.zoomed) : [], chosen = this.chosen ? pathOf(this.chosen) : [];
    this.root = tree;
    this.zoomed = follow(tree, zoomed);
    this.chosen = follow(tree, chosen);
    this.draw();
  }

  draw() {
    if (!this.root) return;
    this.place.replaceChildren();
    this.deepest = 0;
    const above = [];
    for (let node = this.zoomed.parent; node; node = node.parent) above.unshift(node);
    const width = this.place.clientWidth;
    above.forEach((node, depth) => this.add(node, depth, 0, width));
    this.addAll(this.zoomed, above.length, 0, width);
    this.place.style.height = `${(this.deepest + 1) * BAR}px`;
  }

  addAll(node, depth, left, width) {
    this.add(node, depth, left, width);
    let at = left;
    for (const child of node.children) {
      const share = width * child.value / Math.max(1, node.value);
      if (share >= NARROWEST) this.addAll(child, depth + 1, at, share);
      at += share;
    }
  }

  add(node, depth, left, width) {
    const bar = document.createElement('div');
    bar.className = `flame-${kindOf(node.name)}${node === this.chosen ? ' chosen' : ''}`;
    Object.assign(bar.style, { left: `${left}px`, width: `${width}px`, top: `${depth * BAR}px` });
    bar.textContent = node.name;
    bar.title = this.textOf(node);
    bar.addEventListener('pointerenter', () => { this.details.textContent = this.textOf(node); });
    bar.addEventListener('click', () => this.zoom(node));
    this.deepest = Math.max(this.deepest, depth);
    this.place.append(bar);
  }

  textOf(node) {
    return `${node.name}: ${bytesText(node.value)}, ${shareText(node.value / Math.max(1, this.root.value))}`;
  }

  tell() {
    if (this.chosen) this.details.textContent = this.textOf(this.chosen);
  }

  zoom(node) {
    this.zoomed = node;
    this.choose(node);
  }

  choose(node) {
    if (!node) return;
    this.chosen = node;
    this.draw();
    this.tell();
  }

  press(event) {
    if (!this.chosen || event.ctrlKey || event.altKey || event.metaKey) return;
    const beside = this.chosen.parent ? this.chosen.parent.children : [this.chosen];
    const at = beside.indexOf(this.chosen);
    const actions = {
      ArrowUp: () => this.choose(this.chosen.parent),
      ArrowDown: () => this.choose(this.chosen.children[0]),
      ArrowLeft: () => this.choose(beside[at - 1]),
      ArrowRight: () => this.choose(beside[at + 1]),
      Enter: () => this.zoom(this.chosen),
      Escape: () => this.zoom(this.root),
    };
    if (!actions[event.key]) return;
    event.preventDefault();
    actions[event.key]();
  }
}
