// A certified OpenID provider on loopback for the tests: JWT access tokens by client_credentials.
//   node provider.mjs PORT ALGORITHM      prints "ready PORT" once it answers; new keys at every start
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const [, , port, algorithm] = process.argv;
const server = createServer();
server.listen(Number(port), '127.0.0.1', () => {
  const { port } = server.address();
  const issuer = `http://127.0.0.1:${port}`;
  const { privateKey } = algorithm === 'ES256'
    ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
    : generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), alg: algorithm, use: 'sig' };
  const client = (client_id) => ({
    client_id,
    client_secret: 'a secret of the tests',
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    id_token_signed_response_alg: algorithm,
  });
  const provider = new Provider(issuer, {
    clients: [client('workstation'), client('stranger')],
    jwks: { keys: [key] },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://xray.example.org',
        getResourceServerInfo: (ctx, resource) => ({
          scope: '',
          audience: resource === 'https://xray.example.org' ? 'maxray' : resource,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 900,
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
    extraTokenClaims: (ctx, token) => ({ realm_access: { roles: token.clientId === 'workstation' ? ['reading-room', 'offline'] : ['offline'] } }),
  });
  server.on('request', provider.callback());
  console.log(`ready ${port}`);
});
