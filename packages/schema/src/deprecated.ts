// The notice that an instance gives of its own end. Times are milliseconds since 1970.
import * as z from 'zod';

/** An HTTP-date has four digits for the year (RFC 9110 §5.6.7). */
const moment = z.int().min(0).max(253_402_300_799_999, 'must be before the year 10000');

/** From `sunset` on it may be gone (RFC 8594). `since` (RFC 9745): left out, when the registry first heard it. */
export const deprecated = z
  .strictObject({ sunset: moment, since: moment.optional() })
  .refine(({ sunset, since = 0 }) => since <= sunset, {
    path: ['since'],
    message: 'must not be after sunset',
  });
