import { EndableBody } from '../endable-body.ts';
import type { Body } from '../exchange.ts';

/** A body that must be whole in time, else it breaks off. @param leftMs from now on; nobody need have started it */
export function limitedBody(body: Body, leftMs: number): Body {
  const limited = new EndableBody(body, () => clearTimeout(timer));
  const late = () => limited.endNow(new Error('the time of the whole exchange is over'));
  const timer = setTimeout(late, leftMs);
  return limited;
}
