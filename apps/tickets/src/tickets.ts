// What the app knows of tickets: their shape, and a port with two sources behind it.

export interface Ticket {
  readonly id: string;
  readonly title: string;
  readonly status: 'open' | 'waiting' | 'closed';
  /** The day, as `2026-03-02`. */
  readonly openedOn: string;
}

export interface TicketSource {
  /** In the order of their ids. */
  all(): Promise<readonly Ticket[]>;
  byId(id: string): Promise<Ticket | undefined>;
}
