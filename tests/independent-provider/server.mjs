// An OpenID provider written by others (npm: oidc-provider, MIT), for tests/it/independent_provider.rs.
//
// It is told what to do by lines of JSON on standard input and says one line for each. It ends with its input, so that
// nothing is left behind when a test is killed.
//   {"clients": [...]}   serve these clients, as OpenID Connect Registration writes them
//   {"rotate": true}     throw all keys away and make new ones
//   {"decline": true}    from now on the person says no; false: yes

import { randomBytes, generateKeyPairSync } from 'node:crypto';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const PERSON = {
  sub: 'person|7c6f:0042',
  name: 'Zoë Þórsdóttir-李',
  email: 'zoe@example.org',
  email_verified: true,
  groups: ['admins', 'Größe, XL'],
};

const state = { clients: [], decline: false, keys: makeKeys(), cookieKey: randomBytes(32).toString('hex') };
const server = createServer((request, response) => answer(request, response));
let provider;

function makeKeys() {
  const made = [
    ['RS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['PS256', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ];
  const kid = () => randomBytes(9).toString('base64url');
  return made.map(([alg, pair]) => ({ ...pair.privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: kid() }));
}

function build() {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  provider = new Provider(issuer, {
    clients: state.clients,
    jwks: { keys: state.keys },
    cookies: { keys: [state.cookieKey] },
    scopes: ['openid', 'profile', 'email', 'groups'],
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups'] },
    acrValues: ['phr'],
    enabledJWA: { idTokenSigningAlgValues: ['RS256', 'PS256', 'ES256'] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { required: () => true },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ ...PERSON, sub }) }),
    loadExistingGrant: async (ctx) => {
      const { client, session, params } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(params.scope);
      await grant.save();
      return grant;
    },
    renderError: (ctx, out) => {
      ctx.type = 'text';
      ctx.body = `${out.error}: ${out.error_description}`;
    },
  });
  return issuer;
}

async function answer(request, response) {
  try {
    if (!request.url.startsWith('/interaction/')) return await provider.callback()(request, response);
    const said = state.decline
      ? { error: 'access_denied', error_description: 'The person said no' }
      : { login: { accountId: PERSON.sub, acr: 'phr' } };
    await provider.interactionFinished(request, response, said, { mergeWithLastSubmission: false });
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}

server.listen(0, '127.0.0.1', () => {
  console.log(JSON.stringify({ issuer: build() }));
  const lines = createInterface({ input: process.stdin });
  lines.on('line', (line) => {
    const { rotate, ...told } = JSON.parse(line);
    Object.assign(state, told);
    if (rotate) state.keys = makeKeys();
    build();
    console.log(JSON.stringify({ kids: state.keys.map((key) => key.kid) }));
  });
  lines.on('close', () => process.exit(0));
});
