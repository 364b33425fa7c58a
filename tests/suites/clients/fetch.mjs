// `fetch` of Node.js: `fetch.mjs ADDRESS TOKEN`. Reads requests as lines of JSON, and writes answers so: the cases are those of the others.
import { createInterface } from 'node:readline';

const [address, token] = process.argv.slice(2);
for await (const line of createInterface({ input: process.stdin })) {
  const { method, path, body, pieces, headers, follow } = JSON.parse(line);
  const data = body === null ? undefined : Buffer.from(body, 'base64');
  async function* parts() {
    for (let at = 0; at < data.length; at += 65536) yield data.subarray(at, at + 65536);
  }
  try {
    const answer = await fetch(address + path, {
      method,
      headers: new Headers(Object.entries({ Authorization: `Bearer ${token}`, ...headers })),
      body: pieces ? ReadableStream.from(parts()) : data && new Blob([data]), // a redirect may send it twice
      duplex: pieces ? 'half' : undefined,
      redirect: follow ? 'follow' : 'manual',
    });
    const arrived = [], out = [];
    if (answer.body) for await (const piece of answer.body) { arrived.push(performance.now() / 1000); out.push(piece); }
    console.log(JSON.stringify({ status: answer.status, headers: Object.fromEntries(answer.headers), body: Buffer.concat(out).toString('base64'), arrived }));
  } catch (error) {
    console.log(JSON.stringify({ error: `${error} ${error.cause ?? ''}` }));
  }
}
