// What both scripts share: a site, headless Chromium, and a page's complaints.
import { createServer } from 'node:http';
import puppeteer from 'puppeteer-core';

// Headless Chromium, with more switches than every script needs.
export const launchWith = (more) =>
  puppeteer.launch({
    executablePath: process.env.MAXRAY_TEST_CHROMIUM ?? '/usr/bin/chromium',
    // As root in a container, and without a graphics card.
    args: ['--no-sandbox', '--disable-dev-shm-usage', '--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--disable-background-networking', ...more],
  });

// Collects errors of the console, of scripts, of requests that failed, and answers of `server` with an error status.
function watch(page, server, complaints, requests) {
  page.on('console', async (message) => {
    if (message.type() !== 'error') return;
    const words = message.args().map((value) => value.evaluate((value) => String(value?.stack ?? value)).catch(() => ''));
    complaints.push(`console: ${(await Promise.all(words)).join(' ') || message.text()} ${message.location()?.url ?? ''}`);
  });
  page.on('pageerror', (error) => complaints.push(`page: ${error.message}`));
  page.on('requestfailed', (request) => {
    // A navigation gives up what the page before still asked for.
    if (request.failure()?.errorText !== 'net::ERR_ABORTED') {
      complaints.push(`request: ${request.failure()?.errorText} ${request.url()}`);
    }
  });
  page.on('response', (response) => {
    if (!response.url().startsWith(server)) return;
    requests.push(`${response.status()} ${response.request().method()} ${response.url().slice(server.length)}`);
    if (response.status() >= 400) complaints.push(`answer: ${response.status()} ${response.url()}`);
  });
}

// Does `work` in a page while `serve` is on the port, and prints what it gives together with what went wrong and was
// asked; after a failure, on standard error.
export async function withPage({ port, server, serve }, work) {
  const [complaints, requests] = [[], []];
  const site = createServer(serve).listen(Number(port), '127.0.0.1');
  const browser = await launchWith([]);
  try {
    const page = await browser.newPage();
    watch(page, server, complaints, requests);
    console.log(JSON.stringify({ ...(await work(page, complaints)), complaints, requests }));
  } catch (error) {
    console.error(error.message, JSON.stringify({ complaints, requests }, null, 1));
    process.exitCode = 1;
  } finally {
    await browser.close();
    site.close();
  }
}
