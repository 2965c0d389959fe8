// SPDX-License-Identifier: MIT
//
// Opens a profile in speedscope, from its package and in headless Chromium, as a user who drops the
// file on its page; prints its table of functions: lines "TOTAL SELF NAME" with blanks between.
//
// usage: node speedscope.mjs PROFILE      the environment has CHROMIUM, the browser
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';

const folder = dirname(createRequire(import.meta.url).resolve('speedscope/package.json'));
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
await page.goto(pathToFileURL(join(folder, 'dist/release/index.html')).href);
await page.locator('input[type=file]').first().setInputFiles(process.argv[2], { timeout: 60000 });
await page.getByText('Sandwich').waitFor({ timeout: 60000 });
await page.keyboard.press('3');
await page.getByText('Symbol Name').waitFor({ timeout: 60000 });
for (const row of await page.locator('tr').allInnerTexts()) {
  console.log(row.replace(/\s+/g, ' ').trim());
}
await browser.close();
