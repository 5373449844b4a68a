// A registry over a database, alone in its process: `node mongo-registry.mjs STORE-URL PORT`.
import { createRegistry } from '@reg/registry';
import { createRegistryServer } from '@reg/registry/http';
import { openMongoStore } from '@reg/store-mongo';

const [url, port] = process.argv.slice(2);
const registry = createRegistry({ store: await openMongoStore({ url }) });
const server = await createRegistryServer({ registry, port: Number(port) });
process.once('SIGTERM', async () => {
  await server.close();
  await registry.close();
});
console.log(JSON.stringify({ registry: server.url }));
