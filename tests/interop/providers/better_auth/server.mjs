// An OpenID provider of the npm packages `better-auth` and `@better-auth/oauth-provider` (MIT), with a page for sign-in and
// one for consent. `node server.mjs PORT`; a line of JSON on standard input is a client's registration metadata, and one on
// standard output what came of it. State lies in memory.
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { oauthProvider } from '@better-auth/oauth-provider';
import { betterAuth } from 'better-auth';
import { memoryAdapter } from 'better-auth/adapters/memory';
import { toNodeHandler } from 'better-auth/node';
import { jwt } from 'better-auth/plugins';

const port = Number(process.argv[2]);
const origin = `http://127.0.0.1:${port}`;
const tables = Object.fromEntries(
  ['user', 'session', 'account', 'verification', 'jwks', 'oauthClient', 'oauthAccessToken', 'oauthRefreshToken', 'oauthConsent']
    .map((name) => [name, []]),
);

const auth = betterAuth({
  baseURL: origin,
  secret: 'a-secret-of-a-test-of-more-than-32-signs',
  database: memoryAdapter(tables),
  emailAndPassword: { enabled: true },
  telemetry: { enabled: false },
  rateLimit: { enabled: false },
  trustedOrigins: [origin],
  disabledPaths: ['/token'],
  plugins: [
    jwt({ jwks: { keyPairConfig: { alg: process.argv[3] ?? 'RS256' } } }),
    oauthProvider({
      loginPage: '/sign-in',
      consentPage: '/consent',
      scopes: ['openid', 'profile', 'email', 'offline_access'],
      allowDynamicClientRegistration: true,
      allowUnauthenticatedClientRegistration: true,
      customIdTokenClaims: () => ({ groups: ['staff'] }),
      silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
    }),
  ],
});

const page = (response, body) => response.writeHead(200, { 'content-type': 'text/html' }).end(`<!doctype html>${body}`);
const SIGN_IN = `<form method="post"><input type="email" name="email"><input type="password" name="password"><button>Sign in</button></form>`;
const CONSENT = `<form method="post"><button name="accept" value="true">Allow</button><button name="accept" value="false">Deny</button></form>`;

async function form(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return Object.fromEntries(new URLSearchParams(Buffer.concat(parts).toString()));
}

// What the pages' scripts would ask of the provider, with the browser's cookies and the signed query of the page.
async function ask(request, response, path, body) {
  const query = new URL(request.url, origin).search.slice(1);
  const answer = await auth.handler(new Request(`${origin}/api/auth${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin, cookie: request.headers.cookie ?? '' },
    body: JSON.stringify({ ...body, oauth_query: query }),
  }));
  const cookies = answer.headers.getSetCookie();
  const told = await answer.json().catch(() => ({}));
  const location = told.url ?? told.redirect_uri ?? told.uri ?? answer.headers.get('location');
  if (!location) return response.writeHead(answer.status, { 'content-type': 'text/plain' }).end(JSON.stringify(told));
  response.writeHead(303, { location, 'set-cookie': cookies }).end();
}

const handler = toNodeHandler(auth);
createServer(async (request, response) => {
  const { pathname } = new URL(request.url, origin);
  for (const client of tables.oauthClient) client.enableEndSession = true; // what an administrator switches on
  if (pathname === '/sign-in') {
    if (request.method !== 'POST') return page(response, SIGN_IN);
    return ask(request, response, '/sign-in/email', await form(request));
  }
  if (pathname === '/consent') {
    if (request.method !== 'POST') return page(response, CONSENT);
    return ask(request, response, '/oauth2/consent', { accept: (await form(request)).accept === 'true' });
  }
  return handler(request, response);
}).listen(port, '127.0.0.1');

await auth.api.signUpEmail({ body: { name: 'Maya Lindqvist', email: 'maya@example.org', password: 'correct-horse-7' } });
tables.user[0].emailVerified = true;
createInterface({ input: process.stdin }).on('close', () => process.exit(0));
