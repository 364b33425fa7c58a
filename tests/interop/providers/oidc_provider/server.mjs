// An OpenID provider of the npm package `oidc-provider` (MIT), with its own pages for sign-in and consent and with dynamic
// registration. State lies in a file, so that a restart keeps it.
//   node server.mjs PORT STATE_FILE
// A line on standard input: `rotate` throws all keys away, `disable` and `enable` tell whether the person has an account.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import Provider from 'oidc-provider';

const [port, file] = [Number(process.argv[2]), process.argv[3]];
const issuer = `http://127.0.0.1:${port}`;
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519', 'HS256'];

// Five hundred groups of 64 letters.
const MANY = Array.from({ length: 500 }, (_, number) => `group-${number}-`.padEnd(64, 'x'));

const kept = existsSync(file)
  ? JSON.parse(readFileSync(file))
  : { keys: makeKeys(), cookieKey: randomBytes(32).toString('hex'), records: {}, disabled: false };
const save = () => writeFileSync(file, JSON.stringify(kept));

function makeKeys() {
  const kinds = [
    ['rsa', { modulusLength: 2048 }],
    ['ec', { namedCurve: 'P-256' }],
    ['ec', { namedCurve: 'P-384' }],
    ['ec', { namedCurve: 'P-521' }],
    ['ed25519', undefined],
  ];
  return kinds.map(([kind, options]) => ({
    ...generateKeyPairSync(kind, options).privateKey.export({ format: 'jwk' }),
    use: 'sig',
    kid: randomBytes(9).toString('base64url'),
  }));
}

// What the provider wants of its memory: records by kind and id, with a few ways to find one.
class Records {
  constructor(kind) {
    this.kind = kind;
  }
  key(id) {
    return `${this.kind}:${id}`;
  }
  async upsert(id, payload, expiresIn) {
    kept.records[this.key(id)] = { payload, until: expiresIn ? Date.now() + expiresIn * 1000 : null };
    save();
  }
  async find(id) {
    const record = kept.records[this.key(id)];
    return record && (!record.until || record.until > Date.now()) ? record.payload : undefined;
  }
  by(test) {
    const found = Object.entries(kept.records).find(([key, r]) => key.startsWith(`${this.kind}:`) && test(r.payload));
    return found?.[1].payload;
  }
  async findByUid(uid) {
    return this.by((payload) => payload.uid === uid);
  }
  async findByUserCode(code) {
    return this.by((payload) => payload.userCode === code);
  }
  async consume(id) {
    kept.records[this.key(id)].payload.consumed = Math.floor(Date.now() / 1000);
    save();
  }
  async destroy(id) {
    delete kept.records[this.key(id)];
    save();
  }
  async revokeByGrantId(grantId) {
    for (const [key, record] of Object.entries(kept.records)) {
      if (record.payload.grantId === grantId) delete kept.records[key];
    }
    save();
  }
}

function build() {
  const provider = new Provider(issuer, {
    adapter: Records,
    jwks: { keys: kept.keys },
    cookies: { keys: [kept.cookieKey] },
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'], groups: ['groups', 'resource_access'], many: ['many_groups'] },
    scopes: ['openid', 'profile', 'email', 'groups', 'many', 'offline_access'],
    responseModes: ['form_post', 'query'],
    conformIdTokenClaims: false,
    // Its own guard lets it call no private address; here everything is one.
    fetch: (url, { dispatcher, agent, ...options }) => globalThis.fetch(url, options),
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'],
    enabledJWA: {
      idTokenSigningAlgValues: ALGORITHMS,
      userinfoSigningAlgValues: ALGORITHMS,
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'],
    },
    features: {
      registration: { enabled: true },
      jwtUserinfo: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      backchannelLogout: { enabled: true },
      pushedAuthorizationRequests: { enabled: true },
      devInteractions: { enabled: true },
      claimsParameter: { enabled: true },
    },
    issueRefreshToken: async (ctx, client, code) => client.grantTypeAllowed('refresh_token') && code.scopes.has('offline_access'),
    findAccount: (_, sub) => kept.disabled ? undefined : {
      accountId: sub,
      claims: () => ({ sub, name: 'Maya Lindqvist', email: `${sub}@example.org`, email_verified: true, groups: ['staff', 'editors'],
        resource_access: { wiki: { roles: ['reader', 'writer'] } }, many_groups: MANY }),
    },
  });
  provider.on('server_error', (_, error) => console.error(error));
  provider.on('backchannel.error', (_, error) => console.error(error));
  return provider.callback();
}

let answer = build();
createServer((request, response) => answer(request, response)).listen(port, '127.0.0.1');
createInterface({ input: process.stdin })
  .on('line', (line) => {
    if (line === 'rotate') kept.keys = makeKeys();
    if (line === 'disable' || line === 'enable') kept.disabled = line === 'disable';
    save();
    answer = build();
    console.log(line);
  })
  .on('close', () => process.exit(0));
