// The instances that are registered: each at an address of its own, a tenth of them in each of ten services.
const services = 10;

export const serviceOf = (index) => `service-${index % services}`;
export const idOf = (index) => `instance-${index}`;

/** No address twice: 127.0.0.0/8 is large. */
export function addressOf(index) {
  return `http://127.${1 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}:8080/`;
}

export function registrationOf(index, leaseSeconds = 600) {
  return {
    url: `/${serviceOf(index)}`,
    endpoints: [{ type: 'http', url: addressOf(index) }],
    authorizedRoles: [],
    lease: { ttlMs: leaseSeconds * 1_000 },
    runId: 'bench',
  };
}

/** Each lane takes the next one when it has finished one, until `isOver`. @returns how many */
export async function inLanes(lanes, isOver, work) {
  let count = 0;
  async function lane() {
    while (!isOver(count)) await work(count++);
  }
  await Promise.all(Array.from({ length: lanes }, lane));
  return count;
}
