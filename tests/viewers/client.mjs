// Calls the JavaScript client `dicomweb-client` where its users run it: in a page of another origin.
//
//   node client.mjs PORT SERVER TOKEN FILE..
//
// Stores the files, finds them, fetches metadata, instances, frames, a series, a rendered frame and bulk data, and
// prints one JSON object with what came; digests are SHA-256 of data sets.
import { readFileSync } from 'node:fs';
import { withPage } from './browser.mjs';

const [port, server, token, ...files] = process.argv.slice(2);
const script = readFileSync('node_modules/dicomweb-client/build/dicomweb-client.js');
const stored = files.map((file) => readFileSync(file));

// The page's files, by path.
function serve(request, response) {
  const [, kind, number] = request.url.split('/');
  const body = { client: script, file: stored[number] }[kind];
  const type = kind === 'client' ? 'text/javascript' : 'application/octet-stream';
  if (body) response.writeHead(200, { 'Content-Type': type }).end(body);
  else response.writeHead(200, { 'Content-Type': 'text/html' }).end('<link rel="icon" href="data:,"><script src="/client"></script>');
}

// Runs in the page.
async function use(server, token, count) {
  const digest = async (buffer) =>
    [...new Uint8Array(await crypto.subtle.digest('SHA-256', buffer))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  // PS3.10 7.1: what follows group 2, whose length is its first element.
  const dataSet = (file) => file.slice(144 + new DataView(file).getUint32(140, true));
  const client = new window.DICOMwebClient.api.DICOMwebClient({
    url: `${server}/dicomweb`, singlepart: '', headers: { Authorization: `Bearer ${token}` },
  });
  const datasets = [];
  for (let number = 0; number < count; number += 1) datasets.push(await (await fetch(`/file/${number}`)).arrayBuffer());
  await client.storeInstances({ datasets });
  // Again: measurements are saved so, and must not fail.
  await client.storeInstances({ datasets });
  const studies = await client.searchForStudies({ queryParams: { limit: 100, includefield: 'all' } });
  const results = [];
  for (const study of studies) {
    const studyInstanceUID = study['0020000D'].Value[0];
    const [series] = await client.searchForSeries({ studyInstanceUID });
    const seriesInstanceUID = series['0020000E'].Value[0];
    const instances = await client.searchForInstances({ studyInstanceUID, seriesInstanceUID });
    const sopInstanceUID = instances[0]['00080018'].Value[0];
    const of = { studyInstanceUID, seriesInstanceUID, sopInstanceUID };
    const anyFrames = [{ mediaType: 'application/octet-stream', transferSyntaxUID: '*' }];
    const [metadata] = await client.retrieveInstanceMetadata(of);
    const seriesMetadata = await client.retrieveSeriesMetadata(of);
    const studyMetadata = await client.retrieveStudyMetadata(of);
    const part10 = await client.retrieveInstance(of);
    const wholeSeries = await client.retrieveSeries(of);
    const wholeStudy = await client.retrieveStudy(of);
    const [frame] = await client.retrieveInstanceFrames({ ...of, frameNumbers: [1], mediaTypes: anyFrames });
    const pictures = [await client.retrieveInstanceFramesRendered({ ...of, frameNumbers: [1], mediaTypes: [{ mediaType: 'image/jpeg' }] })];
    const [rendered] = pictures.flat();
    results.push({
      sopInstanceUID,
      counts: [instances.length, seriesMetadata.length, studyMetadata.length, wholeSeries.length, wholeStudy.length],
      rows: metadata['00280010'].Value[0],
      bulk: metadata['7FE00010'].BulkDataURI,
      // The client cannot ask for the stored syntax here: Explicit VR Little Endian comes.
      part10: await digest(dataSet(part10)),
      series: await digest(dataSet(wholeSeries[0])),
      study: await digest(dataSet(wholeStudy[0])),
      frame_bytes: frame.byteLength,
      rendered: [...new Uint8Array(rendered.slice(0, 3))],
    });
  }
  const missing = await client.retrieveInstanceMetadata({ studyInstanceUID: '1.2.3', seriesInstanceUID: '1.2.3.4', sopInstanceUID: '1.2.3.4.5' })
    .then(() => 200, (error) => error.status);
  return { results, missing };
}

await withPage({ port, server, serve }, async (page) => {
  await page.goto(`http://127.0.0.1:${port}/`, { waitUntil: 'load' });
  return page.evaluate(use, server, token, stored.length);
});
