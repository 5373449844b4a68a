// Zod-free: addresses, networks, and where an upstream may be.
export { formatIpAddress, type IpAddress, parseIpAddress } from './ip-address.ts';
export { isWithin, type Network, parseNetworks } from './network.ts';
export { addressRefusal, defaultUpstreamNetworks, hostRefusal } from './upstream-networks.ts';
