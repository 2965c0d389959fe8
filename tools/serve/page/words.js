// SPDX-License-Identifier: MIT
//
// Values as words, and the style sheet's colours as numbers.

export function bytesText(bytes) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  for (; Math.abs(bytes) >= 1024 && unit < 5; unit++) bytes /= 1024;
  return `${unit === 0 ? Math.round(bytes) : bytes.toFixed(1)} ${units[unit]}`;
}

export const shareText = share => `${(100 * share).toFixed(1)} %`;
export const countText = count => count.toLocaleString('en-US');

// A colour of the style sheet as numbers: light or dark, as the page is now.
export function colour(name) {
  const probe = document.createElement('span');
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}
