/** Of the database, to what we ask of it all the time: half of the lease that most instances have. */
export const answersSoonMs = 5_000;

/**
 * Options of a command that is asked all the time, one after the other: a line that is dead, and does not say so, ends
 * then, and the driver repeats on another one what may be repeated. Story: a firewall dropped one connection of several;
 * the driver waited for the answer until TCP gave up, a quarter of an hour, and all that came after waited with it.
 * The driver's types do not say that each command may have a limit of its own; those of `Db.command` may not.
 */
export const answersSoon: object = { socketTimeoutMS: answersSoonMs };
