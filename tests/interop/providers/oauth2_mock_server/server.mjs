// The npm package `oauth2-mock-server` (MIT): it asks nobody anything and knows no clients. `node server.mjs PORT`.
import { createInterface } from 'node:readline';
import { OAuth2Server } from 'oauth2-mock-server';

const port = Number(process.argv[2]);
const person = { sub: 'maya', email: 'maya@example.org', email_verified: true, name: 'Maya Lindqvist', groups: ['staff'] };

const server = new OAuth2Server();
await server.issuer.keys.generate('RS256');
server.service.on('beforeTokenSigning', (token) => Object.assign(token.payload, person));
server.service.on('beforeUserinfo', (answer) => (answer.body = person));
await server.start(port, '127.0.0.1');
server.issuer.url = `http://127.0.0.1:${port}`;
createInterface({ input: process.stdin }).on('close', () => process.exit(0));
