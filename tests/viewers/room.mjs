// Two tabs of Chromium meet in a room, with the pictures that Chromium makes up for tests.
//
//   node room.mjs PORT SOCKET DOCTORS-TICKET VISITORS-TICKET all|relay COMPLETE TOKEN
//
// `relay` takes no way but that over a TURN server. POST to COMPLETE ends the consultation once they see each other. Prints what
// each saw.
import { readFileSync } from 'node:fs';
import { launchWith } from './browser.mjs';
import { createServer } from 'node:http';

const [port, socket, doctor, visitor, way, complete, token] = process.argv.slice(2);
const page = readFileSync(new URL('room.html', import.meta.url));
const site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(page)).listen(Number(port), '127.0.0.1');
const browser = await launchWith([
  '--use-fake-device-for-media-stream',
  '--use-fake-ui-for-media-stream',
  '--allow-loopback-in-peer-connection',
  '--disable-features=WebRtcHideLocalIpsWithMdns',
  // Both tabs have to go on while the other one is in front.
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
]);

async function open(ticket) {
  const context = await browser.createBrowserContext();
  const tab = await context.newPage();
  tab.on('pageerror', (error) => console.error(`page: ${error.message}`));
  await tab.goto(`http://127.0.0.1:${port}/#${new URLSearchParams({ socket, ticket, way })}`);
  return tab;
}

// Frames that came from the other one and were shown.
const watch = (tab) =>
  tab.waitForFunction(() => {
    const video = document.querySelector('#other');
    return video.videoWidth > 0 && video.getVideoPlaybackQuality().totalVideoFrames > 5 && {
      width: video.videoWidth,
      frames: video.getVideoPlaybackQuality().totalVideoFrames,
      sound: video.srcObject.getAudioTracks().length,
    };
  }, { timeout: 60_000 }).then((handle) => handle.jsonValue());

try {
  const tabs = [await open(doctor), await open(visitor)];
  const saw = await Promise.all(tabs.map(watch));
  const done = await fetch(complete, { method: 'POST', headers: { authorization: `Bearer ${token}` } });
  if (!done.ok) throw new Error(`${complete}: ${done.status}`);
  const ended = await Promise.all(tabs.map((tab) =>
    tab.waitForFunction(() => /^\d/.test(document.title) && document.title, { timeout: 60_000 }).then((handle) => handle.jsonValue())));
  console.log(JSON.stringify({ saw, ended }));
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  await browser.close();
  site.close();
}
