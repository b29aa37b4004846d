// Drives OHIF in headless Chromium as a person would: the study list with a filter, then studies one after the other.
//
//   node ohif.mjs PORT SERVER TOKEN SCREENSHOTS STUDY..
//
// serves ./ohif (the ready distribution) on 127.0.0.1:PORT and points it at SERVER/dicomweb. A STUDY is JSON:
// {"uid", "name", "patient"}. Prints one JSON object: what the list showed, and of each study the pixels of its viewport;
// and everything that a console or a failed request complained of.
import { createReadStream, existsSync } from 'node:fs';
import { extname, join, normalize } from 'node:path';
import { withPage } from './browser.mjs';

const [port, server, token, screenshots, ...rest] = process.argv.slice(2);
const studies = rest.map((text) => JSON.parse(text));
const root = join(process.cwd(), 'ohif');
const viewer = `http://127.0.0.1:${port}`;
const PATIENCE_MS = 60_000;
const TYPES = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm', '.json': 'application/json',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.woff2': 'font/woff2', '.ico': 'image/x-icon',
};

// What an operator writes: the data source, and where the token comes from.
const CONFIG = `window.config = {
    extensions: [{
      id: 'token',
      preRegistration: ({ servicesManager }) => servicesManager.services.userAuthenticationService.setServiceImplementation({
        getAuthorizationHeader: () => ({ Authorization: 'Bearer ${token}' }),
      }),
    }],
    routerBasename: '/', modes: [], showStudyList: true, showErrorDetails: 'always',
    showWarningMessageForCrossOrigin: false, showCPUFallbackMessage: false, strictZSpacingForVolumeViewport: true,
    investigationalUseDialog: { option: 'never' },
    defaultDataSourceName: 'maxray',
    dataSources: [{
      namespace: '@ohif/extension-default.dataSourcesModule.dicomweb',
      sourceName: 'maxray',
      configuration: {
        friendlyName: 'MaxRay', name: 'maxray',
        qidoRoot: '${server}/dicomweb', wadoRoot: '${server}/dicomweb', wadoUriRoot: '${server}/dicomweb',
        qidoSupportsIncludeField: true, supportsFuzzyMatching: true, supportsWildcard: true,
        imageRendering: 'wadors', thumbnailRendering: 'thumbnail', enableStudyLazyLoad: true,
        omitQuotationForMultipartRequest: true,
        bulkDataURI: { enabled: true }, singlepart: 'bulkdata,video,pdf',
      },
    }],
};`;

function serve(request, response) {
  const path = normalize(decodeURIComponent(new URL(request.url, viewer).pathname));
  // Shared memory, which OHIF's volumes use, is for isolated pages only (docs.ohif.org, deployment).
  const headers = { 'Cross-Origin-Opener-Policy': 'same-origin', 'Cross-Origin-Embedder-Policy': 'require-corp' };
  if (path === '/app-config.js') {
    response.writeHead(200, { ...headers, 'Content-Type': 'text/javascript' }).end(CONFIG);
    return;
  }
  const wanted = join(root, path);
  const file = extname(path) && existsSync(wanted) ? wanted : join(root, 'index.html');
  response.writeHead(200, { ...headers, 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream' });
  createReadStream(file).pipe(response);
}

const shows = (page, text) =>
  page.waitForFunction((text) => document.body.innerText.includes(text), { timeout: PATIENCE_MS }, text);

// Every name, then those that a filter leaves.
async function list(page) {
  await page.goto(`${viewer}/`, { waitUntil: 'domcontentloaded' });
  // Whatever comes of it is worth a look.
  const all = Promise.all(studies.map((study) => shows(page, study.name)));
  await all.finally(() => page.screenshot({ path: join(screenshots, 'list.png') }));
  const wanted = studies[0];
  await page.goto(`${viewer}/?mrn=${encodeURIComponent(wanted.patient)}`, { waitUntil: 'domcontentloaded' });
  await shows(page, wanted.name);
  const gone = studies.slice(1).map((study) => study.name);
  await page.waitForFunction((gone) => gone.every((name) => !document.body.innerText.includes(name)), { timeout: PATIENCE_MS }, gone);
  await page.screenshot({ path: join(screenshots, 'filtered.png') });
}

// How many different values and which share of lit pixels the first viewport shows.
const PIXELS = () => {
  const canvas = document.querySelector('canvas.cornerstone-canvas');
  if (!canvas || canvas.width < 100) return null;
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const context = copy.getContext('2d');
  context.drawImage(canvas, 0, 0);
  const { data } = context.getImageData(0, 0, copy.width, copy.height);
  const values = new Set();
  let lit = 0;
  for (let at = 0; at < data.length; at += 4) {
    values.add((data[at] << 16) | (data[at + 1] << 8) | data[at + 2]);
    lit += data[at] + data[at + 1] + data[at + 2] > 30 ? 1 : 0;
  }
  return { values: values.size, lit: lit / (data.length / 4) };
};

// Pictures that were loaded, other than the viewer's own.
const THUMBNAILS = () => {
  const pictures = [...document.querySelectorAll('img')].filter((image) => image.naturalWidth > 1);
  return pictures.filter((image) => image.src.startsWith('blob:') || image.src.startsWith('data:image/j')).length;
};

async function open(page, study, number, complaints) {
  await page.goto(`${viewer}/viewer?StudyInstanceUIDs=${study.uid}`, { waitUntil: 'domcontentloaded' });
  const deadline = Date.now() + PATIENCE_MS;
  let pixels = null;
  while (Date.now() < deadline && !(pixels?.values > 8)) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    pixels = await page.evaluate(PIXELS);
  }
  // The rest of the series and the thumbnails.
  await page.waitForNetworkIdle({ idleTime: 1_000, timeout: PATIENCE_MS })
    .catch(() => complaints.push(`${study.name}: never idle`));
  await page.screenshot({ path: join(screenshots, `study-${number}.png`) });
  return { ...study, ...(await page.evaluate(PIXELS)), thumbnails: await page.evaluate(THUMBNAILS) };
}

await withPage({ port, server, serve }, async (page, complaints) => {
  await page.setViewport({ width: 1280, height: 900 });
  await list(page);
  const opened = [];
  for (const [number, study] of studies.entries()) opened.push(await open(page, study, number, complaints));
  return { opened };
});
